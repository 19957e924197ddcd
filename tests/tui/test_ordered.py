"""Ordered: items that several move at once are in one order for all, and none is doubled or lost."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from partyroom_tui.ordered import DIGITS, Ordered, between

from tests.unit.client.rooms import Room

ORDER = st.text(DIGITS, max_size=6).map(lambda order: order.rstrip("0"))


@given(ORDER, ORDER)
def test_there_is_always_something_between_two(one: str, other: str) -> None:
    low, high = sorted((one, other))
    if low == high:
        high = ""
    found = between(low, high)
    assert low < found
    assert not high or found < high
    assert not found.endswith("0")


def test_there_is_nothing_between_what_is_the_same() -> None:
    with pytest.raises(ValueError, match="nothing between"):
        between("5", "5")


def test_orders_stay_short_where_many_are_put_in_one_place() -> None:
    low, high = between("", ""), ""
    for _ in range(500):
        high = between(low, high)
    assert len(high) < 600


@pytest.mark.parametrize("seed", range(5))
def test_two_who_move_add_and_remove_at_once_agree(seed: int) -> None:
    chance, rooms = Random(seed), [Room(), Room()]
    lists = [Ordered(room.map("m")) for room in rooms]
    first = [lists[0].add({"n": number}, {"text": f"thing {number}"}) for number in range(6)]
    rooms[0].sync(rooms[1])
    gone = set()
    for _ in range(20):
        for one in lists:
            ids = list(one.read())
            match chance.randrange(4):
                case 0:
                    one.add({"n": 0}, after=chance.choice([*ids, None]))
                case 1 if chance.random() < 0.3:
                    gone.add(ids[0])
                    one.remove(ids[0])
                case _:
                    one.move(chance.choice(ids), chance.randint(-3, 3))
        if chance.random() < 0.4:
            rooms[0].sync(rooms[1])
            assert list(lists[0].read().items()) == list(lists[1].read().items())
    rooms[0].sync(rooms[1])
    assert list(lists[0].read()) == list(lists[1].read())
    assert set(first) - gone <= lists[0].read().keys()


def test_moving_changes_places_by_as_much_as_was_said() -> None:
    one = Ordered(Room().map("m"))
    ids = [one.add({}) for _ in range(4)]
    one.move(ids[0], 2)
    assert list(one.read()) == [ids[1], ids[2], ids[0], ids[3]]
    one.move(ids[3], -99)
    assert list(one.read()) == [ids[3], ids[1], ids[2], ids[0]]
    one.move("nobody", 1)
    one.remove("nobody")
    assert one.add({}, after=ids[1]) == list(one.read())[2]


def test_what_strangers_put_there_is_left_alone() -> None:
    room = Room()
    one = Ordered(room.map("m"))
    room.map("m").update({"a": 1, "b": {"order": ["x"]}, "c": {"order": "!!"}, "d": {"order": "000"}})
    id = one.add({})
    assert list(one.read()) == ["b", "c", "d", id]
