"""A room in a notebook: joining, who is here, how it stands, and in which thread it says so."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import partyroom_widgets
import pytest
from partyroom_widgets import Room

from partyroom.client import ConnectionClosed
from tests.unit.client.beside import Beside

from .conftest import Join
from .waiting import until


def names(room: Room) -> list[str]:
    return [person.name for person in room.people]


def test_people_see_each_other_come_and_go(join: Join) -> None:
    ada = join("Ada")
    bob = join("Bob")
    until(lambda: names(ada) == ["Ada", "Bob"], ada)
    assert [person.me for person in ada.people] == [True, False]
    assert names(bob) == ["Bob", "Ada"]
    bob.rename("Bobby", "#123456")
    until(lambda: names(ada) == ["Ada", "Bobby"], ada)
    assert ada.people[1].color == "#123456"
    bob.close()
    until(lambda: names(ada) == ["Ada"], ada)


def test_no_two_have_one_colour_unless_they_asked_for_it(join: Join) -> None:
    one, other, third = join("Ada"), join("Ada"), join("Ada", color="#c2185b")
    until(lambda: len(third.people) == 3, third)
    assert len({person.color for person in third.people}) == 3
    assert (third.me.color, one.me.color == other.me.color) == ("#c2185b", False)
    with pytest.raises(ValueError, match="#rrggbb"):
        join("Ada", color="red; background: url(x)")


def test_the_strip_shows_who_is_here_and_what_they_do(join: Join) -> None:
    ada, bob = join("Ada"), join("Bob Barker")
    strip = ada.strip
    until(lambda: len(strip.people) == 2, ada)
    assert (strip.status, strip.notice, strip.room) == ("synced", "Live", ada.name)
    bob.show(typing=True)
    until(lambda: strip.people[1]["doing"] == "typing", ada)
    assert {key: strip.people[1][key] for key in ("name", "initials", "me")} == {
        "name": "Bob Barker",
        "initials": "BB",
        "me": False,
    }
    assert strip.link == ada.link.replace("ws://", "http://")
    bundle = ada._repr_mimebundle_()[0]
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == strip.model_id


def test_joining_again_is_the_same_room_under_the_newer_name(server: Beside) -> None:
    room = partyroom_widgets.join("again", url=server.url, name="Ada")
    try:
        assert partyroom_widgets.join("again", url=server.url, name="Eve") is room
        assert room.me.name == "Eve"
    finally:
        room.close()
    with partyroom_widgets.join("again", url=server.url) as other:
        assert other is not room


def test_without_a_server_it_says_so_and_goes_on_alone(join: Join) -> None:
    room = join("Ada", url="http://127.0.0.1:1", wait=0.05)
    until(lambda: room.client.failure, room)
    assert room.strip.notice == "No server yet at http://127.0.0.1:1: changes are kept here"
    assert "127.0.0.1" in room.strip.why
    room.close()
    assert room.strip.status == "closed"


def test_without_a_server_nothing_is_printed_into_the_cells() -> None:
    code = "import partyroom_widgets as p; r = p.join('x', url='http://127.0.0.1:1', wait=0.2); print(bool(r.why))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (run.stdout, run.stderr) == ("True\n", "")


def test_a_server_that_will_not_have_us_is_an_error(join: Join, server: Beside) -> None:
    with pytest.raises(ConnectionClosed, match="401"):
        join("Ada", f"{server.url}/parties/guarded/x", token="wrong")


async def test_callbacks_run_in_the_kernels_thread_when_its_cell_is_done_or_when_it_asks(join: Join) -> None:
    told: list[threading.Thread] = []
    ada = join("Ada")
    ada.on_people(lambda: told.append(threading.current_thread()))
    ada.on_people(lambda: 1 / 0)  # is logged
    bob = join("Bob")
    until(lambda: len(ada.people) == 2, ada)
    assert told == []  # this cell is not done
    ada.update()
    assert set(told) == {threading.main_thread()}
    with pytest.raises(RuntimeError, match="the kernel's own thread"):
        await asyncio.to_thread(ada.update)
    told.clear()
    bob.close()
    async with asyncio.timeout(10):
        while not told:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert set(told) == {threading.main_thread()}
