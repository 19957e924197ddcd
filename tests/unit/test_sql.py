"""``room.sql``: a database of the room's own, in memory and on disk alike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from partyroom import Limits, Lobby, MemoryStore, Party, Request, Response, SQLiteStore
from partyroom.errors import Damaged, LimitError, RoomStopped, SqlError, StoreError
from partyroom.http import Address
from partyroom.limits import KIB
from partyroom.room import Room
from partyroom.stores.base import Store
from partyroom.stores.sql import SqlStore
from partyroom.testing import ManualClock, fetch, settle

SCORES = "CREATE TABLE scores (player TEXT PRIMARY KEY, points INTEGER NOT NULL CHECK (points >= 0))"
FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


class Plain(Party):
    pass


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "rooms.db")


@pytest.fixture
async def lobby(store: Store) -> AsyncIterator[Lobby]:
    async with Lobby({"game": Plain}, store=store, clock=ManualClock()) as lobby:
        yield lobby


@pytest.fixture
async def room(lobby: Lobby) -> Room:
    return await lobby.room(Address("game", "one"))


class TestStatements:
    async def test_values_are_bound_and_rows_come_back(self, room: Room) -> None:
        assert await room.sql(SCORES) == []
        assert await room.sql("INSERT INTO scores VALUES (?, ?)", "ada", 10) == []
        await room.sql("INSERT INTO scores VALUES (:who, :points)", who="bob'); DROP TABLE scores; --", points=True)
        rows = await room.sql("SELECT player, points AS 'of all' FROM scores ORDER BY points")
        assert [list(row.values()) for row in rows] == [["bob'); DROP TABLE scores; --", 1], ["ada", 10]]
        assert (rows[1].player, rows[1]["of all"], json.dumps(rows[1])) == (
            "ada",
            10,
            '{"player": "ada", "of all": 10}',
        )
        with pytest.raises(AttributeError, match="no column 'points', only player, of all"):
            _ = rows[0].points

    async def test_a_write_may_return_rows(self, room: Room) -> None:
        await room.sql("CREATE TABLE notes (id INTEGER PRIMARY KEY, text)")
        (row,) = await room.sql("INSERT INTO notes (text) VALUES (?) RETURNING id, text", "hello")
        assert (row.id, row.text) == (1, "hello")

    @pytest.mark.parametrize("value", [None, 0, -(2**63), 2**63 - 1, 1.5, "", "é😀\0x", b"", b"\0\xff"])
    async def test_every_kind_of_value_comes_back_as_it_was(self, room: Room, value: Any) -> None:
        (row,) = await room.sql("SELECT ? AS value", value)
        assert row.value == value
        assert type(row.value) is type(value)

    @pytest.mark.parametrize(
        ("values", "named", "error"),
        [
            ([[]], {}, TypeError),
            ([{"a": 1}], {}, TypeError),
            ([2**63], {}, LimitError),
            (["\ud800"], {}, LimitError),
            ([1], {"a": 1}, TypeError),
            ([], {}, SqlError),
            ([1, 2], {}, SqlError),
            ([], {"other": 1}, SqlError),
        ],
    )
    async def test_a_value_that_cannot_be_bound_is_an_error(
        self, room: Room, values: list[Any], named: dict[str, Any], error: type[Exception]
    ) -> None:
        with pytest.raises(error):
            await room.sql("SELECT :a", *values, **named) if named else await room.sql("SELECT ?", *values)

    async def test_what_breaks_a_constraint_does_nothing_and_says_which(self, room: Room) -> None:
        await room.sql(SCORES)
        await room.sql("INSERT INTO scores VALUES ('ada', 1)")
        for statement, code in (
            ("INSERT INTO scores VALUES ('bob', 1), ('ada', 2)", "SQLITE_CONSTRAINT_PRIMARYKEY"),
            ("INSERT INTO scores VALUES ('bob', -1)", "SQLITE_CONSTRAINT_CHECK"),
            ("INSERT INTO scores VALUES ('bob', NULL)", "SQLITE_CONSTRAINT_NOTNULL"),
            ("SELECT nothing FROM scores", "SQLITE_ERROR"),
            ("no statement", "SQLITE_ERROR"),
            ("SELECT 1; SELECT 2", "SQLITE_ERROR"),
            ("SELECT 1 \0", "SQLITE_ERROR"),
        ):
            with pytest.raises(SqlError) as caught:
                await room.sql(statement)
            assert caught.value.code == code, statement
        assert await room.sql("SELECT * FROM scores") == [{"player": "ada", "points": 1}]

    async def test_foreign_keys_hold(self, room: Room) -> None:
        await room.sql("CREATE TABLE a (id INTEGER PRIMARY KEY)")
        await room.sql("CREATE TABLE b (a INTEGER REFERENCES a (id))")
        with pytest.raises(SqlError) as caught:
            await room.sql("INSERT INTO b VALUES (1)")
        assert caught.value.code == "SQLITE_CONSTRAINT_FOREIGNKEY"

    async def test_many_are_all_or_nothing(self, room: Room) -> None:
        await room.sql(SCORES)
        await room.sql.many("INSERT INTO scores VALUES (?, ?)", ((f"player {n}", n) for n in range(100)))
        await room.sql.many("UPDATE scores SET points = :to WHERE player = :who", [{"who": "player 0", "to": 7}])
        with pytest.raises(SqlError):
            await room.sql.many("INSERT INTO scores VALUES (?, ?)", [("new", 1), ("player 5", 1)])
        assert (await room.sql("SELECT count(*) AS count, sum(points) AS sum FROM scores")) == [
            {"count": 100, "sum": 4957}
        ]

    async def test_full_text_search_and_json_are_there(self, room: Room) -> None:
        await room.sql("CREATE VIRTUAL TABLE pages USING fts5 (title, body)")
        await room.sql("INSERT INTO pages VALUES ('One', 'a quick fox')")
        (row,) = await room.sql("SELECT title, json_array(body) AS j FROM pages WHERE pages MATCH ?", "quick")
        assert (row.title, row.j) == ("One", '["a quick fox"]')


class TestTransactions:
    async def test_what_it_does_happens_together(self, room: Room) -> None:
        await room.sql(SCORES)
        async with room.sql.transaction() as sql:
            await sql("INSERT INTO scores VALUES ('ada', ?)", 10)
            await sql.many("INSERT INTO scores VALUES (?, 0)", [["bob"], ["eve"]])
            assert (await sql("SELECT count(*) AS count FROM scores"))[0].count == 3
        assert (await room.sql("SELECT sum(points) AS sum FROM scores"))[0].sum == 10

    async def test_an_exception_or_a_rollback_undoes_all_of_it(self, room: Room) -> None:
        await room.sql(SCORES)

        async def fail() -> None:
            async with room.sql.transaction() as sql:
                await sql("INSERT INTO scores VALUES ('ada', 1)")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        async with room.sql.transaction() as sql:
            await sql("INSERT INTO scores VALUES ('ada', 1)")
            await sql.rollback()
            with pytest.raises(SqlError, match="has ended"):
                await sql("SELECT 1")
        with pytest.raises(SqlError, match="has ended"):
            await sql("SELECT 1")
        assert await room.sql("SELECT * FROM scores") == []

    async def test_a_statement_that_fails_in_it_leaves_the_rest(self, room: Room) -> None:
        await room.sql(SCORES)
        async with room.sql.transaction() as sql:
            await sql("INSERT INTO scores VALUES ('ada', 1)")
            with pytest.raises(SqlError):
                await sql("INSERT INTO scores VALUES ('ada', 2)")
            with pytest.raises(SqlError):
                await sql.many("INSERT INTO scores VALUES (?, 1)", [["bob"], ["ada"]])
        assert await room.sql("SELECT * FROM scores") == [{"player": "ada", "points": 1}]

    async def test_what_others_ask_meanwhile_waits(self, room: Room) -> None:
        await room.sql(SCORES)
        async with room.sql.transaction() as sql:
            other = asyncio.ensure_future(room.sql("SELECT count(*) AS count FROM scores"))
            await sql("INSERT INTO scores VALUES ('ada', 1)")
            await settle()
            assert not other.done()
        assert (await other)[0].count == 1

    async def test_one_that_would_wait_for_itself_is_an_error(self, room: Room) -> None:
        with pytest.raises(SqlError, match="within a transaction use what it gives"):
            async with room.sql.transaction():
                await room.sql("SELECT 1")
        with pytest.raises(SqlError, match="within a transaction"):
            async with room.sql.transaction(), room.sql.transaction():
                pass
        assert await room.sql("SELECT 1 AS one") == [{"one": 1}]

    @pytest.mark.parametrize("turns", range(12))
    async def test_one_that_is_cancelled_at_any_moment_is_undone_or_done(self, room: Room, turns: int) -> None:
        await room.sql(SCORES)

        async def write() -> None:
            async with room.sql.transaction() as sql:
                await sql("INSERT INTO scores VALUES ('ada', 1)")
                await sql("INSERT INTO scores VALUES ('bob', 1)")

        writing = asyncio.ensure_future(write())
        await settle(turns)
        writing.cancel()
        await asyncio.wait([writing])
        count = (await room.sql("SELECT count(*) AS count FROM scores"))[0].count
        assert count in (0, 2)
        await room.sql("INSERT INTO scores VALUES ('eve', 1)")
        with pytest.raises(SqlError):  # no transaction is open, or this could not begin one
            await room.sql.many("INSERT INTO scores VALUES (?, 1)", [["eve"]])

    async def test_a_delete_of_the_rooms_data_ends_it(self, lobby: Lobby, room: Room) -> None:
        await room.sql(SCORES)

        async def write() -> None:
            async with room.sql.transaction() as sql:
                await sql("INSERT INTO scores VALUES ('ada', 1)")
                await room.storage.delete_all()
                await sql("INSERT INTO scores VALUES ('bob', 1)")

        with pytest.raises(SqlError, match="deleted"):
            await write()
        assert await room.sql("SELECT * FROM sqlite_master") == []


class TestLimits:
    @pytest.mark.parametrize(
        "statement",
        [
            "ATTACH 'other.db' AS other",
            "ATTACH ':memory:' AS other",
            "DETACH main",
            "VACUUM",
            "VACUUM INTO 'copy.db'",
            "BEGIN",
            "BEGIN IMMEDIATE",
            "COMMIT",
            "ROLLBACK",
            "SAVEPOINT a",
            "RELEASE a",
            "PRAGMA journal_mode = DELETE",
            "PRAGMA synchronous = OFF",
            "PRAGMA max_page_count = 1000000",
            "PRAGMA locking_mode = NORMAL",
            "PRAGMA writable_schema = ON",
            "PRAGMA foreign_keys = OFF",
            "PRAGMA temp_store_directory = '/tmp'",
            "PRAGMA trusted_schema = ON",
            "PRAGMA database_list",
            "SELECT * FROM pragma_database_list",
            "SELECT load_extension('evil')",
            "SELECT fts3_tokenizer('a')",
            "SELECT readfile('/etc/passwd')",
            "CREATE TEMP TABLE a (b)",
            "CREATE TEMP VIEW a AS SELECT 1",
            "CREATE TABLE temp.a (b)",
            "CREATE VIRTUAL TABLE a USING dbstat",
            "CREATE VIRTUAL TABLE a USING csv(filename='/etc/passwd')",
            "INSERT INTO sqlite_master VALUES (1, 2, 3, 4, 5)",
            "EXPLAIN ATTACH 'other.db' AS other",
        ],
    )
    async def test_what_reaches_beyond_the_rooms_tables_is_refused(self, room: Room, statement: str) -> None:
        await room.sql("SELECT 1")
        async with room.sql.transaction() as sql:  # nor what we have said ourselves
            await sql("SELECT 1")
        with pytest.raises(SqlError):
            await room.sql(statement)
        async with room.sql.transaction() as sql:
            with pytest.raises(SqlError):
                await sql(statement)
        assert await room.sql("SELECT 1 AS one") == [{"one": 1}]

    async def test_what_asks_about_the_tables_is_not(self, room: Room) -> None:
        await room.sql(SCORES)
        assert [column.name for column in await room.sql("PRAGMA table_info (scores)")] == ["player", "points"]
        await room.sql("PRAGMA user_version = 3")
        assert await room.sql("PRAGMA user_version") == [{"user_version": 3}]
        assert [row.name for row in await room.sql("SELECT name FROM sqlite_master WHERE type = 'table'")] == ["scores"]

    async def test_a_statement_that_takes_too_long_is_stopped(self, store: Store) -> None:
        async with Lobby({"game": Plain}, store=store, limits=Limits(sql_time=0.05)) as lobby:
            room = await lobby.room(Address("game", "one"))
            await room.sql(SCORES)
            with pytest.raises(LimitError, match=r"may take 0\.05 s"):
                await room.sql(FOREVER)
            with pytest.raises(LimitError):
                await room.sql(f"INSERT INTO scores SELECT 'ada', ({FOREVER})")

            async def write() -> None:
                async with room.sql.transaction() as sql:
                    await sql("INSERT INTO scores VALUES ('bob', 1)")
                    with pytest.raises(LimitError):
                        await sql(f"UPDATE scores SET points = ({FOREVER})")

            with pytest.raises(SqlError, match="undone"):
                await write()
            assert await room.sql("SELECT * FROM scores") == []

    async def test_a_room_has_only_so_much_place(self, store: Store) -> None:
        async with Lobby({"game": Plain}, store=store, limits=Limits(sql=256 * KIB)) as lobby:
            room, other = await lobby.room(Address("game", "one")), await lobby.room(Address("game", "two"))
            await room.sql("CREATE TABLE blobs (value)")

            async def fill() -> None:
                while True:
                    await room.sql("INSERT INTO blobs VALUES (zeroblob(10000))")

            with pytest.raises(LimitError, match="at most 262144 bytes"):
                await fill()
            (kept,) = await room.sql("SELECT count(*) AS count FROM blobs")
            assert 15 < kept.count < 27
            await room.sql("DELETE FROM blobs WHERE rowid <= 5")
            await room.sql("INSERT INTO blobs VALUES (zeroblob(10000))")
            await other.sql("CREATE TABLE blobs AS SELECT zeroblob(10000) AS value")

    async def test_one_value_statement_or_result_has_its_bound_too(
        self, room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("partyroom.stores.sqlite_room.MOST_RESULT", 1_000_000)
        numbers = (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200) SELECT zeroblob(10000) FROM n"
        )
        for statement, values in (
            ("SELECT ?", [b"x" * 2_000_001]),
            ("SELECT zeroblob(2000001)", []),
            ("SELECT 1" + " " * 100_000, []),
            (numbers, []),
        ):
            with pytest.raises(LimitError):
                await room.sql(statement, *values)
        assert len((await room.sql("SELECT ? AS value", b"x" * 900_000))[0].value) == 900_000


class TestTheRoom:
    async def test_it_is_one_rooms_own(self, lobby: Lobby, room: Room) -> None:
        await room.sql(SCORES)
        for address in (Address("game", "two"), Address("game", "on"), Address("game", "../one")):
            other = await lobby.room(address)
            assert await other.sql("SELECT * FROM sqlite_master") == []

    async def test_it_outlives_the_room_that_leaves_memory(self, lobby: Lobby, room: Room) -> None:
        await room.sql(SCORES)
        await room.sql("INSERT INTO scores VALUES ('ada', 1)")
        await room.stop()
        again = await lobby.room(room.address)
        assert again is not room
        assert await again.sql("SELECT player FROM scores") == [{"player": "ada"}]
        with pytest.raises(RoomStopped):
            await room.sql("SELECT 1")

    async def test_what_a_stopped_room_has_left_unfinished_is_undone(self, lobby: Lobby, room: Room) -> None:
        await room.sql(SCORES)
        transaction = room.sql.transaction()
        sql = await transaction.__aenter__()
        await sql("INSERT INTO scores VALUES ('ada', 1)")
        await room.stop()
        again = await lobby.room(room.address)
        assert await again.sql("SELECT * FROM scores") == []
        with pytest.raises(Exception, match="stopped"):
            await sql("INSERT INTO scores VALUES ('bob', 1)")
        with pytest.raises(Exception, match="stopped"):
            await transaction.__aexit__(None, None, None)
        await again.sql("INSERT INTO scores VALUES ('eve', 1)")
        assert await again.sql("SELECT player FROM scores") == [{"player": "eve"}]

    async def test_it_is_part_of_what_is_stored_and_deleted_with_it(self, lobby: Lobby, room: Room) -> None:
        await room.sql(SCORES)
        assert await lobby.store.rooms() == [room.address]
        assert await lobby.store.rooms("other") == []
        await room.storage.delete_all()
        assert await lobby.store.rooms() == []
        assert await room.sql("SELECT * FROM sqlite_master") == []
        await room.sql(SCORES)
        await lobby.overwrite(room.address, {})
        assert await lobby.store.rooms() == []
        assert await (await lobby.room(room.address)).sql("SELECT * FROM sqlite_master") == []

    async def test_its_image_makes_the_same_database_elsewhere(self, lobby: Lobby, room: Room) -> None:
        store, there = lobby.store, Address("game", "two")
        assert isinstance(store, SqlStore)
        assert await store.image(room.address) is None
        await room.sql(SCORES)
        await room.sql.many("INSERT INTO scores VALUES (?, ?)", ((f"player {n}", n) for n in range(1000)))
        image = await store.image(room.address)
        assert image is not None
        other = await lobby.room(there)
        await other.sql("CREATE TABLE gone (a)")
        await store.set_image(there, image)
        assert await other.sql("SELECT sum(points) AS sum FROM scores") == [{"sum": 499500}]
        await other.sql("INSERT INTO scores VALUES ('ada', 1)")
        assert await store.rooms() == [room.address, there]
        for damaged in (b"", b"no image", image[:4096], image[:4096] + b"\xee" * 4096 + image[8192:]):
            with pytest.raises(Damaged):
                await store.set_image(there, damaged)
        assert await other.sql("SELECT count(*) AS count FROM scores") == [{"count": 1001}]
        async with room.sql.transaction():
            with pytest.raises(StoreError, match="under way"):
                await store.image(room.address)

    async def test_a_room_that_is_not_durable_forgets_it(self, store: Store) -> None:
        class Fleeting(Party):
            durable = False

        async with Lobby({"game": Fleeting}, store=store) as lobby:
            room = await lobby.room(Address("game", "one"))
            await room.sql(SCORES)
            await room.stop()
            assert await (await lobby.room(room.address)).sql("SELECT * FROM sqlite_master") == []
            assert await store.rooms() == []

    async def test_statements_take_effect_in_the_order_in_which_they_were_made(self, room: Room) -> None:
        await room.sql("CREATE TABLE log (n)")
        await asyncio.gather(*(room.sql("INSERT INTO log VALUES (?)", n) for n in range(50)))
        assert [row.n for row in await room.sql("SELECT n FROM log ORDER BY rowid")] == list(range(50))

    async def test_the_event_loop_runs_on_meanwhile(self, tmp_path: Path) -> None:
        async with Lobby({"game": Plain}, store=SQLiteStore(tmp_path / "x.db"), limits=Limits(sql_time=0.3)) as lobby:
            room = await lobby.room(Address("game", "one"))
            slow = asyncio.ensure_future(room.sql(FOREVER))
            other = await lobby.room(Address("game", "two"))
            assert await other.sql("SELECT 1 AS one") == [{"one": 1}]
            assert not slow.done()
            with pytest.raises(LimitError):
                await slow

    async def test_a_store_without_databases_says_so(self) -> None:
        class Bare:
            """A store that keeps keys only."""

            def __init__(self) -> None:
                kept = MemoryStore()
                for name in ("get", "load", "apply", "alarms", "rooms", "close"):
                    setattr(self, name, getattr(kept, name))

        async with Lobby({"game": Plain}, store=Bare()) as lobby:  # type: ignore[arg-type]
            room = await lobby.room(Address("game", "one"))
            with pytest.raises(SqlError, match="Bare keeps no SQL databases: use SQLiteStore"):
                await room.sql("SELECT 1")

    async def test_a_party_uses_it_from_its_hooks(self, store: Store) -> None:
        class Guestbook(Party):
            async def on_start(self) -> None:
                await self.room.sql("CREATE TABLE IF NOT EXISTS guests (name TEXT)")

            async def on_request(self, request: Request) -> Response:
                if request.method == "POST":
                    await self.room.sql("INSERT INTO guests VALUES (?)", request.text())
                return Response.json(await self.room.sql("SELECT name FROM guests"))

        async with Lobby(Guestbook, store=store) as lobby:
            await fetch(lobby, "/parties/guestbook/x", "POST", body=b"Ada")
            assert (await fetch(lobby, "/parties/guestbook/x")).body == b'[{"name":"Ada"}]'
