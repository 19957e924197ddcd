"""The acceptance suite of the Store contract: every sentence of ``base`` as a test that any store can run.

A store's own tests subclass it, and pytest (with pytest-asyncio in auto mode) does the rest::

    class TestMyStore(StoreSuite):
        async def make_store(self) -> Store:
            return MyStore()

``make_store`` is called once or more in a test; a ``DurableStoreSuite`` expects that it finds again what was written
before. Plain asserts and asyncio only, so any runner will do that awaits ``async def`` tests.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

from ..errors import Fenced, LimitError, StoreClosed
from ..http import Address
from .base import Batch, Range, Store

__all__ = ["DurableStoreSuite", "StoreSuite"]

HERE = Address("notes", "today")
ELSEWHERE = Address("notes", "tomorrow")

# Around every edge of the code point order: empty, NUL, case, the last before and first after the surrogates (which
# UTF-16 would put after the astral planes), non-BMP, and the very last character.
KEYS = ["", "\0", "a", "a\0", "aa", "ab", "b", "Z", "é", "ß", "\ud7ff", "\ud7ffx", "\ue000", "\uffff"]
KEYS += ["\U00010000", "😀", "😀a", "\U0010ffff", "\U0010ffff\U0010ffff", "a\U0010ffff", "a\U0010ffffb"]
BIG = 8 * 1024 * 1024


async def raised(error: type[BaseException], awaitable: Awaitable[object]) -> str:
    """The message of the ``error`` that awaiting raises; an ``AssertionError`` where it does not."""
    try:
        await awaitable
    except error as caught:
        return str(caught)
    raise AssertionError(f"{error.__name__} was not raised")


def expected(items: dict[str, bytes], bounds: Range) -> list[tuple[str, bytes]]:
    """What ``load`` must return, worked out bound by bound as the contract words them."""
    keys = [
        key
        for key in sorted(items, key=lambda key: key.encode(), reverse=bounds.reverse)
        if key.startswith(bounds.prefix)
        and (bounds.start is None or key >= bounds.start)
        and (bounds.start_after is None or key > bounds.start_after)
        and (bounds.end is None or key < bounds.end)
    ]
    return [(key, items[key]) for key in keys[: bounds.limit]]


class StoreSuite:
    """What every store must do; a subclass says how to make one."""

    async def make_store(self) -> Store:
        """A store to test, empty at its first making in a test."""
        raise NotImplementedError("a subclass of StoreSuite says how to make its store")

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """A store for the length of a block."""
        store = await self.make_store()
        try:
            yield store
        finally:
            await store.close()

    # get, load and apply

    async def test_a_room_that_was_never_written_is_empty(self) -> None:
        async with self.store() as store:
            assert await store.get(HERE, ["a"]) == {}
            assert await store.load(HERE) == []
            assert await store.rooms() == []
            assert await store.alarms() == []

    async def test_what_apply_has_written_get_and_load_return(self) -> None:
        async with self.store() as store:
            await store.apply(HERE, Batch(puts={"b": b"2", "a": b"1"}))
            assert await store.get(HERE, ["b", "nothing", "a"]) == {"a": b"1", "b": b"2"}
            assert await store.load(HERE) == [("a", b"1"), ("b", b"2")]
            assert await store.get(HERE, []) == {}

    async def test_a_put_replaces_and_a_delete_removes(self) -> None:
        async with self.store() as store:
            await store.apply(HERE, Batch(puts={"a": b"1", "b": b"2"}))
            await store.apply(HERE, Batch(puts={"a": b"one"}, deletes=["b", "nothing"]))
            assert await store.load(HERE) == [("a", b"one")]

    async def test_rooms_do_not_see_each_other(self) -> None:
        addresses = [HERE, ELSEWHERE, Address("chat", "today"), Address("notes/today", ""), Address("notes", "today/")]
        async with self.store() as store:
            for address in addresses:
                await store.apply(address, Batch(puts={"name": str(address).encode(), repr(address): b""}))
            await store.apply(ELSEWHERE, Batch(clear=True))
            for address in addresses:
                values = [] if address == ELSEWHERE else sorted([repr(address), "name"])
                assert [key for key, _ in await store.load(address)] == values

    async def test_an_address_is_any_text(self) -> None:
        names = ["", "../../etc/passwd", "a/b", "C:\\con", "'; DROP TABLE rooms; --", "\0", "%2F", "😀", "x" * 5000]
        addresses = [Address(party, room) for party in names for room in names]
        async with self.store() as store:
            await asyncio.gather(*(store.apply(a, Batch(puts={"k": repr(a).encode()})) for a in addresses))
            for address in addresses:
                assert await store.load(address) == [("k", repr(address).encode())]
            assert await store.rooms() == sorted(addresses)

    async def test_values_may_be_empty_or_big(self) -> None:
        big = random.Random(1).randbytes(BIG)
        async with self.store() as store:
            await store.apply(HERE, Batch(puts={"empty": b"", "big": big}))
            assert await store.get(HERE, ["empty"]) == {"empty": b""}
            assert dict(await store.load(HERE)) == {"empty": b"", "big": big}

    async def test_of_one_batch_clear_comes_first_then_deletes_then_puts(self) -> None:
        async with self.store() as store:
            await store.apply(HERE, Batch(puts={"old": b"", "a": b"1"}))
            await store.apply(HERE, Batch(clear=True, deletes=["a", "b"], puts={"a": b"2", "b": b"3"}))
            assert await store.load(HERE) == [("a", b"2"), ("b", b"3")]

    async def test_an_empty_batch_changes_nothing(self) -> None:
        async with self.store() as store:
            await store.apply(ELSEWHERE, Batch())
            await store.apply(HERE, Batch(puts={"a": b"1"}, alarm=5))
            await store.apply(HERE, Batch())
            assert await store.load(HERE) == [("a", b"1")]
            assert await store.alarms() == [(HERE, 5.0)]
            assert await store.rooms() == [HERE]

    async def test_batches_take_effect_in_the_order_of_their_calls(self) -> None:
        async with self.store() as store:
            calls = [store.apply(HERE, Batch(puts={"last": b"%d" % n, f"{n:03}": b""})) for n in range(50)]
            calls += [store.apply(HERE, Batch(clear=True, puts={"last": b"clear"}))]
            calls += [store.apply(HERE, Batch(puts={"after": b""}))]
            await asyncio.gather(*reversed(calls))
            assert await store.load(HERE) == [("after", b""), ("last", b"clear")]

    async def test_a_batch_is_what_it_was_when_apply_was_called(self) -> None:
        async with self.store() as store:
            puts, deletes = {"a": b"1"}, ["x"]
            await store.apply(HERE, Batch(puts={"x": b"", "y": b""}))
            written = store.apply(HERE, Batch(puts=puts, deletes=deletes))
            puts["b"] = b"2"
            deletes[:] = ["y"]
            await written
            assert await store.load(HERE) == [("a", b"1"), ("y", b"")]

    async def test_a_cancelled_caller_leaves_a_whole_batch_or_none(self) -> None:
        async with self.store() as store:
            for n in range(20):
                task = asyncio.ensure_future(store.apply(HERE, Batch(puts={f"a{n}": b"", f"b{n}": b""})))
                await asyncio.sleep(0)
                task.cancel()
            await store.apply(HERE, Batch(puts={"end": b""}))
            keys = {key for key, _ in await store.load(HERE)}
            assert {key[1:] for key in keys if key[0] == "a"} == {key[1:] for key in keys if key[0] == "b"}

    async def test_every_load_sees_whole_batches_only(self) -> None:
        async with self.store() as store:

            async def write() -> None:
                for n in range(100):
                    await store.apply(HERE, Batch(clear=True, puts={f"{n}-{part}": b"" for part in range(5)}))

            writing = asyncio.ensure_future(write())
            while not writing.done():
                await asyncio.sleep(0)
                keys = [key for key, _ in await store.load(HERE)]
                assert len({key.partition("-")[0] for key in keys}) == len(keys) / 5 <= 1
            await writing

    async def test_many_rooms_write_and_read_at_once(self) -> None:
        async with self.store() as store:

            async def one(number: int) -> None:
                address = Address("many", f"room {number}")
                for step in range(5):
                    await store.apply(address, Batch(puts={f"{step}": b"%d" % number}))
                    assert await store.load(address) == [(f"{done}", b"%d" % number) for done in range(step + 1)]

            await asyncio.gather(*map(one, range(100)))
            assert len(await store.rooms("many")) == 100

    # ranges

    async def test_every_combination_of_bounds_matches_the_model(self) -> None:
        chance = random.Random(20)
        items = {key: key.encode() for key in KEYS}

        def some_key() -> str | None:
            return chance.choice([None, *KEYS, chance.choice(KEYS) + chance.choice(KEYS)])

        async with self.store() as store:
            await store.apply(ELSEWHERE, Batch(puts=dict.fromkeys(KEYS, b"elsewhere")))
            await store.apply(HERE, Batch(puts=items))
            for _ in range(500):
                bounds = Range(
                    prefix=chance.choice(["", "", some_key() or ""]),
                    start=some_key(),
                    start_after=chance.choice([None, some_key()]),
                    end=some_key(),
                    reverse=chance.random() < 0.5,
                    limit=chance.choice([None, None, 0, 1, 3, 100]),
                )
                assert await store.load(HERE, bounds) == expected(items, bounds), bounds

    async def test_keys_are_ordered_by_code_point(self) -> None:
        async with self.store() as store:
            await store.apply(HERE, Batch(puts=dict.fromkeys(KEYS, b"")))
            assert [key for key, _ in await store.load(HERE)] == sorted(KEYS)
            assert [key for key, _ in await store.load(HERE, Range(reverse=True))] == sorted(KEYS, reverse=True)

    async def test_a_prefix_takes_its_own_key_and_all_that_continue_it(self) -> None:
        async with self.store() as store:
            await store.apply(HERE, Batch(puts=dict.fromkeys([*KEYS, "a\U0010ffff\U0010ffff"], b"")))
            found = [key for key, _ in await store.load(HERE, Range(prefix="a"))]
            assert found == ["a", "a\0", "aa", "ab", "a\U0010ffff", "a\U0010ffffb", "a\U0010ffff\U0010ffff"]
            assert [key for key, _ in await store.load(HERE, Range(prefix="\ud7ff"))] == ["\ud7ff", "\ud7ffx"]

    async def test_an_unsayable_name_or_number_is_refused(self) -> None:
        async with self.store() as store:
            broken = "half \ud800"
            await store.apply(HERE, Batch(puts={"a": b""}))
            assert "half" in await raised(LimitError, store.apply(HERE, Batch(puts={broken: b"", "b": b""})))
            await raised(LimitError, store.apply(HERE, Batch(deletes=["a", broken])))
            await raised(LimitError, store.apply(Address("notes", broken), Batch(puts={"a": b""})))
            await raised(LimitError, store.get(HERE, [broken]))
            await raised(LimitError, store.load(HERE, Range(prefix=broken)))
            await raised(LimitError, store.load(HERE, Range(limit=-1)))
            await raised(LimitError, store.apply(HERE, Batch(puts={"b": b""}, alarm=float("nan"))))
            await raised(LimitError, store.apply(HERE, Batch(puts={"b": b""}), fence=-1))
            await raised(LimitError, store.apply(HERE, Batch(puts={"b": b""}), fence=2**63))
            assert await store.load(HERE) == [("a", b"")]

    # alarms and rooms

    async def test_alarms_come_earliest_first_and_as_many_as_asked(self) -> None:
        chance = random.Random(4)
        times = {Address("clock", f"{n}"): chance.uniform(1e9, 2e9) for n in range(50)}
        async with self.store() as store:
            await asyncio.gather(*(store.apply(address, Batch(alarm=at)) for address, at in times.items()))
            in_order = sorted(times.items(), key=lambda item: item[1])
            assert await store.alarms() == in_order
            assert await store.alarms(limit=3) == in_order[:3]

    async def test_a_room_has_one_alarm_kept_until_it_is_changed_or_dropped(self) -> None:
        async with self.store() as store:
            await store.apply(HERE, Batch(alarm=20.5, puts={"a": b""}))
            await store.apply(HERE, Batch(puts={"b": b""}))
            assert await store.alarms() == [(HERE, 20.5)]
            await store.apply(HERE, Batch(clear=True))
            assert await store.alarms() == [(HERE, 20.5)]
            await store.apply(HERE, Batch(alarm=10))
            assert await store.alarms() == [(HERE, 10.0)]
            await store.apply(HERE, Batch(alarm=None))
            assert await store.alarms() == []

    async def test_rooms_lists_those_with_something_stored_in_order(self) -> None:
        async with self.store() as store:
            for address in [ELSEWHERE, Address("chat", "b"), HERE, Address("\U00010000", "x"), Address("\uffff", "x")]:
                await store.apply(address, Batch(puts={"a": b""}))
            await store.apply(Address("chat", "alarm only"), Batch(alarm=1))
            await store.apply(Address("chat", "emptied"), Batch(puts={"a": b"", "b": b""}))
            await store.apply(Address("chat", "emptied"), Batch(deletes=["a", "b"]))
            await store.apply(Address("chat", "cleared"), Batch(puts={"a": b""}))
            await store.apply(Address("chat", "cleared"), Batch(clear=True))
            chat = [Address("chat", "alarm only"), Address("chat", "b")]
            others = [HERE, ELSEWHERE, Address("\uffff", "x"), Address("\U00010000", "x")]
            assert await store.rooms() == chat + others
            assert await store.rooms("chat") == chat
            assert await store.rooms("nobody") == []

    # fencing

    async def test_a_lower_fence_than_the_highest_seen_is_refused(self) -> None:
        async with self.store() as store:
            await store.apply(HERE, Batch(puts={"a": b"0"}))
            await store.apply(HERE, Batch(puts={"a": b"2"}), fence=2)
            await store.apply(HERE, Batch(puts={"a": b"still 2"}), fence=2)
            message = await raised(Fenced, store.apply(HERE, Batch(clear=True, alarm=5), fence=1))
            assert "notes/today" in message
            await raised(Fenced, store.apply(HERE, Batch(puts={"a": b"0"})))
            assert await store.load(HERE) == [("a", b"still 2")]
            assert await store.alarms() == []
            await store.apply(ELSEWHERE, Batch(puts={"a": b"another room"}))

    async def test_a_fence_is_kept_when_nothing_else_is(self) -> None:
        async with self.store() as store:
            await store.apply(HERE, Batch(), fence=7)
            await store.apply(HERE, Batch(clear=True, alarm=None), fence=7)
            assert await store.rooms() == []
            await raised(Fenced, store.apply(HERE, Batch(puts={"a": b""}), fence=6))
            await store.apply(HERE, Batch(puts={"a": b""}), fence=7)

    async def test_one_refused_batch_does_not_spoil_those_beside_it(self) -> None:
        async with self.store() as store:
            await store.apply(HERE, Batch(), fence=3)
            calls = [store.apply(HERE, Batch(puts={f"{n}": b""}), fence=3 if n % 2 else 1) for n in range(10)] + [
                store.apply(ELSEWHERE, Batch(puts={"a": b""}))
            ]
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(result) for result in results[:10]] == [Fenced, type(None)] * 5
            assert [key for key, _ in await store.load(HERE)] == ["1", "3", "5", "7", "9"]
            assert await store.load(ELSEWHERE) == [("a", b"")]

    # close

    async def test_close_finishes_what_apply_has_accepted(self) -> None:
        async with self.store() as store:
            calls = [store.apply(HERE, Batch(puts={f"{n}": b""})) for n in range(20)]
            await store.close()
            assert await asyncio.gather(*calls) == [None] * 20

    async def test_a_closed_store_says_so_and_may_be_closed_again(self) -> None:
        async with self.store() as store:
            await store.apply(HERE, Batch(puts={"a": b""}))
            await asyncio.gather(store.close(), store.close())
            await raised(StoreClosed, store.apply(HERE, Batch(puts={"a": b""})))
            await raised(StoreClosed, store.get(HERE, ["a"]))
            await raised(StoreClosed, store.load(HERE))
            await raised(StoreClosed, store.alarms())
            await raised(StoreClosed, store.rooms())

    async def test_a_store_that_was_never_used_closes(self) -> None:
        store = await self.make_store()
        await store.close()
        await raised(StoreClosed, store.rooms())


class DurableStoreSuite(StoreSuite):
    """What a store beyond memory must do as well: ``make_store`` opens the same place again."""

    async def test_a_store_made_anew_has_everything(self) -> None:
        chance = random.Random(8)
        items = {key: chance.randbytes(chance.choice([0, 1, 100, 5000, 100_000])) for key in KEYS}
        async with self.store() as store:
            await store.apply(HERE, Batch(puts=items, alarm=1.5), fence=4)
        async with self.store() as store:
            assert dict(await store.load(HERE)) == items
            assert await store.alarms() == [(HERE, 1.5)]
            assert await store.rooms() == [HERE]
            await raised(Fenced, store.apply(HERE, Batch(clear=True), fence=3))
            await store.apply(HERE, Batch(puts={"more": b""}), fence=4)

    async def test_what_close_has_finished_is_there_afterwards(self) -> None:
        async with self.store() as store:
            calls = [store.apply(HERE, Batch(puts={f"{n:02}": b""})) for n in range(20)]
            await store.close()
            await asyncio.gather(*calls)
        async with self.store() as store:
            assert [key for key, _ in await store.load(HERE)] == [f"{n:02}" for n in range(20)]
