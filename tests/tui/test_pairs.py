"""Pairs of terminal apps in rooms of a real server."""

from __future__ import annotations

from partyroom_tui import user
from pycrdt import Text

from partyroom.client import DocumentClient
from tests.interop.server import Server
from tests.tui.apps import eventually
from tests.tui.pair import Seat, seated


def joined(server: Server, room: str, name: str) -> DocumentClient:
    return DocumentClient(server.host, room=room, user=user(name))


def in_step(*seats: Seat) -> bool:
    """Whether all show the same, which is what their documents have."""
    return len({seat.area.text for seat in seats} | {seat.shared for seat in seats}) == 1


async def test_two_who_type_at_once_see_the_same_and_each_other(server: Server, room: str) -> None:
    async with (
        joined(server, room, "Ada") as one,
        joined(server, room, "Bob") as two,
        seated(one, language="python") as ada,
        seated(two, soft_wrap=False) as bob,
    ):
        await one.synced()
        await two.synced()
        await ada.type("def hello():\n    return '漢字 😀'\n")
        await eventually(lambda: in_step(ada, bob))
        await bob.do(bob.area.action_cursor_page_down)
        for letters in ("one ", "two ", "three "):
            await ada.type(letters)
            await bob.type(letters.upper())
        await eventually(lambda: in_step(ada, bob))
        typed = "def hello():\n    return '漢字 😀'\n" + "one two three ONE TWO THREE "
        assert sorted(ada.area.text) == sorted(typed)
        for seat, name, other in ((ada, "Bob", bob), (bob, "Ada", ada)):

            def is_seen(seat: Seat = seat, name: str = name, other: Seat = other) -> bool:
                found = list(seat.area.cursors.found.values())
                return [(cursor.name, cursor.head) for cursor in found] == [(name, other.area.selection.end)]

            await eventually(is_seen)
        await ada.press("ctrl+z")
        await eventually(lambda: in_step(ada, bob))
        assert sorted(bob.area.text) == sorted(typed[:-1]), "more than Ada's last key was taken back"


async def test_a_server_that_restarts_costs_nothing(own_server: Server) -> None:
    async with (
        joined(own_server, "restart", "Ada") as one,
        joined(own_server, "restart", "Bob") as two,
        seated(one) as ada,
        seated(two) as bob,
    ):
        await ada.type("before ")
        await eventually(lambda: bob.area.text == "before ")
        own_server.kill()
        await ada.type("while ")
        await bob.do(lambda: bob.area.insert("away ", (0, 0)))
        own_server.start()
        await eventually(lambda: in_step(ada, bob) and len(ada.area.text) == len("before while away "), timeout=30)
        assert ada.area.text == "away before while "


async def test_what_a_program_writes_by_pycrdt_is_shown(server: Server, room: str) -> None:
    async with joined(server, room, "Ada") as one, seated(one) as ada, joined(server, room, "a program") as other:
        await other.synced()
        other.doc.get("body", type=Text).insert(0, "by pycrdt 😀\r\n")
        await eventually(lambda: ada.area.text == "by pycrdt 😀\r\n")
        await ada.do(lambda: ada.area.insert("!", (0, 11)))
        await eventually(lambda: str(other.doc.get("body", type=Text)) == "by pycrdt 😀!\r\n")
