"""Run as a child with a deadline: everything that values can do with a document in which a stranger planted text.

The text with an emoji lies where an array or a map holds values; ``list(array)`` of pycrdt would never return.
"""

from __future__ import annotations

from partyroom.client.array import SharedArray
from partyroom.client.changes import Change
from partyroom.protocols.lib0 import Encoder
from tests.unit.client.rooms import Room


def planted(parent: bytes) -> bytes:
    """The update in which client 99 puts ``a😀b`` into a root, as ``parent`` says it after the info byte."""
    text = bytes(Encoder().string("a😀b"))
    return b"\x01\x01\x63\x00" + parent + text + b"\x00"


IN_ARRAY = planted(b"\x04\x01\x04rows")
IN_MAP = planted(b"\x24\x01\x05state\x01k")


def opened() -> tuple[Room, SharedArray, list[Change]]:
    room, seen = Room(1), list[Change]()
    rows = room.array("rows")
    rows.on_change(seen.append)
    room.receive(IN_ARRAY)
    room.settle()
    assert rows == ["a", "😀", "b"], rows
    assert seen.pop().edits[0].inserted == ["a", "😀", "b"]  # type: ignore[union-attr]
    return room, rows, seen


def others_agree(room: Room) -> None:
    newcomer = Room(2)
    newcomer.receive(room.doc.get_update())
    assert newcomer.array("rows") == room.array("rows")


def edits_of_an_array() -> None:
    for index in range(4):
        room, rows, seen = opened()
        rows.insert(index, "new")
        room.settle()
        assert rows.index("new") == index
        assert rows.locate(rows.position(index)) == index
        assert len(seen) == 1
        others_agree(room)
    for index in range(3):
        room, rows, seen = opened()
        gone = rows.pop(index)
        room.settle()
        assert gone not in rows
        assert seen[0].edits[0].deleted == [gone]  # type: ignore[union-attr]
        others_agree(room)
    room, rows, _ = opened()
    rows[:] = ["x", "😀", "y"]
    rows.clear()
    rows.append("whole")
    others_agree(room)
    assert rows == ["whole"]


def halves_that_others_cut() -> None:
    room, rows, seen = opened()
    room.receive(b"\x00\x01\x63\x01\x02\x01")  # client 99 deletes the second half of the emoji
    room.settle()
    assert rows == ["a", "\ufffd", "b"], rows
    assert seen[-1].remote
    others_agree(room)


def values_of_a_map() -> None:
    room = Room(1)
    room.receive(IN_MAP)
    state = room.map("state")
    assert state == {"k": "b"}, state  # as Yjs has it: the last of several values
    state["k"] = 1
    state["z"] = "😀"
    assert state == {"k": 1, "z": "😀"}


if __name__ == "__main__":
    edits_of_an_array()
    halves_that_others_cut()
    values_of_a_map()
    print("lived")
