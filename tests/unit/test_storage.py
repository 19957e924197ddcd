"""A room's storage shows its own writes at once, puts them on disk in order, and never says it has what it has not."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from pathlib import Path
from typing import Any

import pytest

from partyroom import storage as module
from partyroom.errors import Fenced, LimitError, StoreClosed, StoreError
from partyroom.http import Address
from partyroom.limits import Limits
from partyroom.storage import Storage, Write
from partyroom.stores.base import Batch
from partyroom.stores.memory import MemoryStore
from partyroom.testing import settle

ADDRESS = Address("chat", "lobby")


class HeldStore(MemoryStore):
    """A store whose writes can be held back, and made to fail with ``errors``, one each."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Batch] = []
        self.errors: list[BaseException] = []
        self._open = asyncio.Event()
        self._open.set()

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    async def apply(self, address: Address, batch: Batch, *, fence: int = 0) -> None:
        self.batches.append(batch)
        await self._open.wait()
        if self.errors:
            raise self.errors.pop(0)
        await super().apply(address, batch, fence=fence)


@pytest.fixture
def store() -> HeldStore:
    return HeldStore()


@pytest.fixture
def storage(store: HeldStore) -> Storage:
    return Storage(store, ADDRESS)


@pytest.fixture(autouse=True)
def no_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER", 0.0)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.0)


async def stored(store: MemoryStore) -> dict[str, Any]:
    """What a room that starts anew finds."""
    return await Storage(store, ADDRESS).list()


class TestReading:
    async def test_a_write_is_visible_at_once_and_before_it_is_on_disk(
        self, storage: Storage, store: HeldStore
    ) -> None:
        store.hold()
        storage.put("a", 1)
        assert await storage.get("a") == 1
        await settle()  # it is being written now
        assert await storage.get("a") == 1
        storage.put("a", 2)
        assert await storage.get("a") == 2
        assert await storage.list() == {"a": 2}

    async def test_a_delete_is_visible_at_once(self, storage: Storage, store: HeldStore) -> None:
        await storage.put({"a": 1, "b": 2})
        store.hold()
        storage.delete("a")
        assert await storage.get("a", "gone") == "gone"
        await settle()
        assert await storage.get(["a", "b"]) == {"b": 2}
        assert await storage.list() == {"b": 2}

    async def test_delete_all_hides_what_is_stored_and_what_was_written(
        self, storage: Storage, store: HeldStore
    ) -> None:
        await storage.put("old", 1)
        store.hold()
        storage.put("newer", 2)
        await settle()
        storage.delete_all()
        storage.put("newest", 3)
        assert await storage.get(["old", "newer", "newest"]) == {"newest": 3}
        assert await storage.list() == {"newest": 3}
        store.release()
        await storage.flush()
        assert await stored(store) == {"newest": 3}

    async def test_several_keys_give_those_that_exist(self, storage: Storage) -> None:
        await storage.put({"a": 1, "b": None})
        assert await storage.get(["b", "a", "c"]) == {"a": 1, "b": None}
        assert await storage.get("c") is None
        assert await storage.get("b", "default") is None

    async def test_a_value_read_is_nobody_elses(self, storage: Storage) -> None:
        value = {"list": [1]}
        storage.put("a", value)
        value["list"].append(2)
        (await storage.get("a"))["list"].append(3)
        assert await storage.get("a") == {"list": [1]}

    @pytest.mark.parametrize("value", [None, True, 0, -1.5, "", "☃", "\ud800", [], {"a": [None]}, b"", b"\xff\0"])
    async def test_json_and_bytes_come_back_as_they_were(self, storage: Storage, store: HeldStore, value: Any) -> None:
        await storage.put("a", value)
        again = await Storage(store, ADDRESS).get("a", "missing")
        assert again == value
        assert type(again) is type(value)

    async def test_a_range_has_the_bounds_it_was_given(self, storage: Storage) -> None:
        await storage.put({key: key for key in ("a", "ab", "abc", "b", "c", "é", "☃", "𐐷")})
        assert list(await storage.list("a")) == ["a", "ab", "abc"]
        assert list(await storage.list(start="ab", end="c")) == ["ab", "abc", "b"]
        assert list(await storage.list(start_after="ab", limit=2)) == ["abc", "b"]
        assert list(await storage.list("a", reverse=True, limit=2)) == ["abc", "ab"]
        assert list(await storage.list(start="c")) == ["c", "é", "☃", "𐐷"], "ordered by code point"

    async def test_a_range_holds_what_a_durable_objects_does(self) -> None:
        """Each line after the keys is a ``list`` of workerd 1.20240718.0 and the keys it returned, by number."""
        keys, *cases = map(json.loads, Path(__file__).with_name("durable_objects.jsonl").read_text().splitlines())
        assert len(cases) > 100
        storage = Storage(MemoryStore(), ADDRESS)
        written = storage.put({key: number for number, key in enumerate(keys)})
        for _ in "before it is stored", "and then":
            for asked, expected in cases:
                named = {"start_after" if name == "startAfter" else name: value for name, value in asked.items()}
                assert list((await storage.list(**named)).values()) == expected, asked
            await written

    async def test_a_range_that_makes_no_sense_is_refused(self, storage: Storage) -> None:
        with pytest.raises(ValueError, match="start_after"):
            await storage.list(start="a", start_after="b")
        with pytest.raises(ValueError, match="limit"):
            await storage.list(limit=0)

    async def test_a_limit_is_filled_from_behind_what_is_being_deleted(
        self, storage: Storage, store: HeldStore
    ) -> None:
        await storage.put(dict.fromkeys("abcdef", 0))
        store.hold()
        storage.delete(["a", "b"])
        await settle()
        storage.delete("c")
        assert list(await storage.list(limit=2)) == ["d", "e"]
        assert list(await storage.list(limit=2, reverse=True)) == ["f", "e"]


class TestWriting:
    async def test_awaiting_a_write_means_that_it_is_on_disk(self, storage: Storage, store: HeldStore) -> None:
        store.hold()
        write = storage.put("a", 1)
        waiting = asyncio.ensure_future(_wait(write))
        await settle()
        assert not waiting.done()
        assert await stored(store) == {}
        store.release()
        await waiting
        assert await stored(store) == {"a": 1}

    async def test_a_hundred_writes_in_a_hook_are_one_batch(self, storage: Storage, store: HeldStore) -> None:
        for number in range(100):
            write = storage.put(f"key {number}", number)
        await write
        assert len(store.batches) == 1

    async def test_a_write_that_nobody_awaits_waits_for_company_until_somebody_does(
        self, storage: Storage, store: HeldStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "LINGER", 3600.0)
        storage.put("a", 1)
        await settle()
        second = storage.put("b", 1)
        await settle()
        assert store.batches == []
        await second
        assert len(store.batches) == 1
        storage.put("c", 1)
        await storage.flush()
        assert await stored(store) == {"a": 1, "b": 1, "c": 1}

    async def test_writes_made_meanwhile_are_the_next_batch(self, storage: Storage, store: HeldStore) -> None:
        store.hold()
        storage.put("a", 1)
        await settle()
        storage.put("a", 2)
        storage.put("b", 2)
        await settle()
        assert len(store.batches) == 1, "one batch at a time"
        store.release()
        await storage.flush()
        assert [dict(batch.puts) for batch in store.batches] == [{"a": b"j1"}, {"a": b"j2", "b": b"j2"}]

    async def test_delete_all_keeps_the_alarm(self, storage: Storage, store: HeldStore) -> None:
        await storage.set_alarm(5.0)
        await storage.delete_all()
        assert await store.alarms() == [(ADDRESS, 5.0)]

    async def test_the_alarm_goes_with_the_writes_of_its_hook(self, storage: Storage, store: HeldStore) -> None:
        storage.put("a", 1)
        await storage.set_alarm(7.0)
        assert len(store.batches) == 1
        await storage.set_alarm(None)
        assert await store.alarms() == []

    async def test_a_waiter_that_gives_up_does_not_stop_the_write(self, storage: Storage, store: HeldStore) -> None:
        store.hold()
        write = storage.put("a", 1)
        waiting = asyncio.ensure_future(_wait(write))
        await settle()
        waiting.cancel()
        await settle()
        store.release()
        await write
        assert await stored(store) == {"a": 1}

    async def test_a_callback_is_told_of_the_commit(self, storage: Storage, store: HeldStore) -> None:
        store.hold()
        told: list[bool] = []
        storage.put("a", 1).add_done_callback(lambda done: told.append(done.exception() is None))
        await settle()
        assert told == []
        store.release()
        await storage.flush()
        await settle()
        assert told == [True]

    async def test_an_empty_write_is_done_without_the_store(self, storage: Storage, store: HeldStore) -> None:
        await storage.put({})
        assert store.batches == []
        assert not storage.dirty

    async def test_flush_waits_for_everything_and_is_at_once_without_anything(
        self, storage: Storage, store: HeldStore
    ) -> None:
        await storage.flush()
        store.hold()
        storage.put("a", 1)
        await settle()
        storage.put("b", 1)
        flushing = asyncio.ensure_future(storage.flush())
        await settle()
        assert storage.dirty
        assert not flushing.done()
        store.release()
        await flushing
        assert await stored(store) == {"a": 1, "b": 1}
        await storage.put("c", 1)
        assert not storage.dirty


class TestLimits:
    @pytest.mark.parametrize("key", ["", "x" * 2049, "é" * 1025, "\ud800"])
    async def test_a_key_that_cannot_be_stored_raises_at_the_call(self, storage: Storage, key: str) -> None:
        with pytest.raises(LimitError):
            storage.put(key, 1)
        with pytest.raises(LimitError):
            storage.delete([key])
        with pytest.raises(LimitError):
            await storage.get(key)
        assert not storage.dirty

    async def test_a_key_that_is_no_text_is_a_type_error(self, storage: Storage) -> None:
        with pytest.raises(TypeError, match="int"):
            storage.put({1: "x"})  # type: ignore[dict-item]

    async def test_a_value_over_the_limit_writes_nothing_of_its_mapping(self, store: HeldStore) -> None:
        storage = Storage(store, ADDRESS, Limits(value=5))
        await storage.put({"a" * 2048: b"12345", "b": 12345})
        with pytest.raises(LimitError, match="6 bytes, over the limit of 5"):
            storage.put({"c": 1, "d": b"123456"})
        assert await storage.get("c") is None
        assert not storage.dirty

    async def test_values_without_a_limit(self, store: HeldStore) -> None:
        storage = Storage(store, ADDRESS, Limits(value=None))
        await storage.put("a", b"x" * 1_000_000)
        assert await storage.get("a") == b"x" * 1_000_000

    @pytest.mark.parametrize("value", [object(), {1, 2}, float("nan")])
    async def test_a_value_that_is_neither_json_nor_bytes_raises(self, storage: Storage, value: Any) -> None:
        with pytest.raises((TypeError, ValueError)):
            storage.put("a", value)
        assert not storage.dirty


class TestTransactions:
    async def test_writes_happen_together_at_the_end(self, storage: Storage, store: HeldStore) -> None:
        await storage.put({"a": 1, "b": 1})
        async with storage.transaction() as transaction:
            transaction.put("a", 2)
            transaction.put({"c": 3})
            transaction.delete("b")
            assert await transaction.get("a") == 2
            assert await transaction.get(["a", "b", "c"]) == {"a": 2, "c": 3}
            assert await transaction.get("b", "gone") == "gone"
            assert await storage.get(["a", "b", "c"]) == {"a": 1, "b": 1}, "not visible outside yet"
        assert await stored(store) == {"a": 2, "c": 3}
        assert len(store.batches) == 2

    async def test_an_exception_drops_them(self, storage: Storage, store: HeldStore) -> None:
        async def fail() -> None:
            async with storage.transaction() as transaction:
                transaction.put("a", 1)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        assert store.batches == []
        async with storage.transaction() as transaction:
            transaction.put("b", 1)
        assert await stored(store) == {"b": 1}

    async def test_rollback_drops_what_was_written_so_far(self, storage: Storage, store: HeldStore) -> None:
        async with storage.transaction() as transaction:
            transaction.put("a", 1)
            transaction.rollback()
            transaction.put("b", 1)
        assert await stored(store) == {"b": 1}

    async def test_run_one_after_the_other(self, storage: Storage) -> None:
        async def count() -> None:
            async with storage.transaction() as transaction:
                seen = await transaction.get("count", 0)
                await settle(3)
                transaction.put("count", seen + 1)

        await asyncio.gather(*(count() for _ in range(10)))
        assert await storage.get("count") == 10

    async def test_keep_to_the_limits(self, store: HeldStore) -> None:
        storage = Storage(store, ADDRESS, Limits(value=5))
        async with storage.transaction() as transaction:
            with pytest.raises(LimitError):
                transaction.put({"a": 1, "b": b"123456"})
            with pytest.raises(LimitError):
                transaction.delete("")
        assert store.batches == []


@pytest.mark.usefixtures("no_pauses")
class TestFailures:
    async def test_a_store_that_fails_is_tried_again_and_nobody_is_told_before_it_works(
        self, storage: Storage, store: HeldStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        store.errors = [StoreError("disk full"), StoreError("still full")]
        with caplog.at_level(logging.ERROR):
            await storage.put("a", 1)
        assert await stored(store) == {"a": 1}
        assert [record.message.rpartition(": ")[2] for record in caplog.records] == ["disk full", "still full"]
        assert not storage.failing

    async def test_a_store_with_a_bug_loses_nothing_either(
        self, storage: Storage, store: HeldStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        store.errors = [TypeError("a bug of the store's"), asyncio.CancelledError("of what it awaited")]
        storage.put("a", 1)
        await settle()
        storage.put("b", 2)
        async with asyncio.timeout(5):
            await storage.flush()
        assert await stored(store) == {"a": 1, "b": 2}

    async def test_failing_shows_while_it_lasts_and_reads_go_on(
        self, storage: Storage, store: HeldStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "FIRST_PAUSE", 3600.0)
        store.errors = [StoreError("disk full")]
        storage.put("a", 1)
        await settle()
        assert storage.failing
        assert storage.dirty
        assert await storage.get("a") == 1
        storage.abandon(StoreError("the room has stopped"))

    async def test_pauses_double_and_are_bounded(
        self, storage: Storage, store: HeldStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pauses: list[float] = []

        async def sleep(pause: float) -> None:
            pauses.append(pause)

        monkeypatch.setattr(module, "FIRST_PAUSE", 0.1)
        monkeypatch.setattr(module.asyncio, "sleep", sleep)  # type: ignore[attr-defined]
        store.errors = [StoreError("full") for _ in range(8)]
        async with asyncio.timeout(5):
            await asyncio.shield(storage.put("a", 1)._done)
        assert [pause for pause in pauses if pause] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])

    @pytest.mark.parametrize("error", [Fenced("moved"), StoreClosed("closed")])
    async def test_a_room_that_has_moved_away_tells_its_waiters_and_writes_no_more(
        self, store: HeldStore, error: StoreError
    ) -> None:
        lost: list[StoreError] = []
        storage = Storage(store, ADDRESS, on_lost=lost.append)
        store.errors = [error]
        store.hold()
        first = storage.put("a", 1)
        await settle()
        second = storage.put("b", 1)
        store.release()
        for write in (first, second):
            with pytest.raises(type(error)):
                await write
        assert lost == [error]
        assert not storage.dirty
        with pytest.raises(type(error)):
            storage.put("c", 1)
        assert await stored(store) == {}

    async def test_what_is_abandoned_is_never_acknowledged(self, storage: Storage, store: HeldStore) -> None:
        store.hold()
        first = storage.put("a", 1)
        await settle()
        second = storage.put("b", 1)
        storage.abandon(StoreError("given up"))
        for write in (first, second):
            with pytest.raises(StoreError, match="given up"):
                await write
        with pytest.raises(StoreError, match="given up"):
            storage.put("c", 1)
        await storage.flush()
        assert not storage.dirty

    async def test_an_abandoned_write_that_nobody_awaits_is_no_noise(self, storage: Storage, store: HeldStore) -> None:
        store.hold()
        storage.put("a", 1)
        await settle()
        storage.abandon(StoreError("given up"))
        await settle()  # an unretrieved exception would fail the test run

    async def test_the_fence_goes_with_every_batch(self, store: HeldStore) -> None:
        await Storage(store, ADDRESS, fence=2).put("a", 1)
        with pytest.raises(Fenced):
            await Storage(store, ADDRESS, fence=1).put("a", 2)
        assert await stored(store) == {"a": 1}


class TestAgainstAModel:
    @pytest.mark.parametrize("seed", range(40))
    async def test_any_reads_among_any_writes_see_the_room_as_it_was_when_they_were_made(self, seed: int) -> None:
        rng, store = random.Random(seed), HeldStore()
        storage, model = Storage(store, ADDRESS), dict[str, Any]()
        keys = ["a", "ab", "abc", "b", "ba", "é", "☃", "\U00010437"]
        for step in range(150):
            some = rng.sample(keys, rng.randint(1, 4))
            match rng.choice(
                ("put", "put", "put many", "delete", "delete", "clear", "hold", "release", "tick", "fail")
            ):
                case "put":
                    storage.put(some[0], step)
                    model[some[0]] = step
                case "put many":
                    storage.put({key: [step] for key in some})
                    model.update({key: [step] for key in some})
                case "delete":
                    storage.delete(some)
                    model = {key: value for key, value in model.items() if key not in some}
                case "clear" if rng.random() < 0.3:
                    storage.delete_all()
                    model = {}
                case "hold":
                    store.hold()
                case "release":
                    store.release()
                case "tick":
                    await settle(rng.randint(1, 8))
            expected, bounds = _range_of(model, rng, keys)
            listing, getting = asyncio.ensure_future(storage.list(**bounds)), asyncio.ensure_future(storage.get(some))
            if rng.random() < 0.5:
                await asyncio.sleep(0)
                store.release()  # what is in flight lands while we read
            assert list((await listing).items()) == expected, bounds
            assert await getting == {key: model[key] for key in some if key in model}
        store.release()
        await storage.flush()
        assert await stored(store) == dict(sorted(model.items()))


def _range_of(
    model: dict[str, Any], rng: random.Random, keys: list[str]
) -> tuple[list[tuple[str, Any]], dict[str, Any]]:
    """Bounds of a range, and what a list with them gives."""
    bounds: dict[str, Any] = {
        "prefix": rng.choice(["", "", "a", "ab", "☃"]),
        rng.choice(["start", "start_after"]): rng.choice([None, *keys]),
        "end": rng.choice([None, None, *keys]),
        "reverse": rng.random() < 0.5,
        "limit": rng.choice([None, 1, 2, 3]),
    }
    start, after, end = bounds.get("start"), bounds.get("start_after"), bounds["end"]
    found = [
        (key, value)
        for key, value in sorted(model.items(), reverse=bounds["reverse"])
        if key.startswith(bounds["prefix"])
        and (start is None or key >= start)
        and (after is None or key > after)
        and (end is None or key < end)
    ]
    return found[: bounds["limit"]], bounds


async def _wait(write: Write) -> None:
    await write
