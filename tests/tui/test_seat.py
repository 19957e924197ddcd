"""A place in a room: who comes into a room where somebody has their colour takes another."""

from __future__ import annotations

from partyroom_tui.colours import PALETTE, user
from partyroom_tui.seat import Seat

from tests.interop.server import Server
from tests.tui.apps import eventually


async def test_as_many_as_there_are_colours_have_one_each_also_with_one_name(server: Server, room: str) -> None:
    seats = [Seat(server.host, room, name="Ada") for _ in PALETTE]
    try:
        for seat in seats:
            await seat.start()
        await eventually(lambda: {seat.user["color"] for seat in seats} == set(PALETTE))
        await eventually(
            lambda: all(
                sorted(state["user"]["color"] for state in (*seat.client.others.values(), {"user": seat.user}))
                == sorted(PALETTE)
                for seat in seats
            )
        )
        first = min(seats, key=lambda seat: seat.client.client_id)
        assert first.user == user("Ada"), "who was first by its id keeps the colour of the name"
    finally:
        for seat in seats:
            await seat.close()


async def test_where_all_colours_are_taken_one_keeps_its_own(server: Server, room: str) -> None:
    seats = [Seat(server.host, room, name="Ada") for _ in range(len(PALETTE) + 1)]
    try:
        for seat in seats:
            await seat.start()
        await eventually(lambda: all(len(seat.client.others) == len(PALETTE) for seat in seats))
        await eventually(lambda: {seat.user["color"] for seat in seats} == set(PALETTE))
    finally:
        for seat in seats:
            await seat.close()
