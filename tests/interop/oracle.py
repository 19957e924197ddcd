"""Relative positions in a document that Yjs made from a seed, checked against Yjs after concurrent edits."""

from __future__ import annotations

from base64 import b64decode, b64encode
from random import Random

from partyroom.client import positions
from partyroom.client.positions import Position
from partyroom.client.text import SharedText
from tests.interop.node import NodeClient
from tests.unit.client.rooms import Room

CORPORA = ("prose", "cjk", "emoji", "odd", "all")

PIECES = ["fünf", "漢字", "😀", "👩‍👩‍👧", "\u0301", "\r\n", "x", "🇫🇷"]


async def agree(node: NodeClient, seed: int) -> int:
    """Play one document; returns how many positions were compared."""
    dice = Random(seed)
    opened = await node.call("open", seed=seed, corpus=CORPORA[seed % len(CORPORA)])
    room = Room(client_id=dice.randrange(2**31) * 4 + 3)
    room.receive(b64decode(opened["update"]))
    text = room.map("map").text("text") if opened["nested"] else room.text("text")
    assert str(text) == opened["text"]
    mirror = room.values._live.mirror()
    made = []
    for given in opened["positions"]:
        theirs = Position.decode(b64decode(given["bytes"]))
        written = Position.from_json(given["json"])
        index = at(opened["text"], given["index"], given["assoc"])
        found = positions.resolve(mirror, theirs)
        assert found is not None
        assert found[1] == text.locate(written) == index
        assert b64encode(theirs.encode()).decode() == given["bytes"]
        assert written.to_json() == given["json"]
        if units(opened["text"][:index]) == given["index"]:  # not within a character, where Python has no index
            ours = text.position(index, given["assoc"])
            assert ours.encode() == theirs.encode()
            assert ours.to_json() == given["json"]
        made.append(given["bytes"])
    await _edit_at_the_same_time(node, seed, room, text, dice, [Position.decode(b64decode(one)) for one in made])
    return len(made)


async def _edit_at_the_same_time(
    node: NodeClient, seed: int, room: Room, text: SharedText, dice: Random, made: list[Position]
) -> None:
    room.sent.clear()
    with room.batch():
        for _ in range(dice.randrange(8)):
            start = dice.randrange(len(text) + 1)
            if dice.random() < 0.7:
                text.insert(start, dice.choice(PIECES))
            else:
                del text[start : start + dice.randrange(4)]
    update = room.sent[0] if room.sent else b"\x00\x00"
    merged = await node.call(
        "merge",
        seed=seed,
        update=b64encode(update).decode(),
        positions=[b64encode(position.encode()).decode() for position in made],
    )
    room.receive(b64decode(merged["update"]))
    if merged["text"] is None:
        assert str(text) == ""
    else:
        assert str(text) == merged["text"]
    for position, index in zip(made, merged["indices"], strict=True):
        expected = None if index is None else at(merged["text"], index, position.assoc)
        assert text.locate(position) == expected, (position, index)


def at(text: str, index: int, assoc: int) -> int:
    """The Python index of one of Yjs': within a character, of the side that it clings to."""
    before = text.encode("utf-16-le", "surrogatepass")[: 2 * index]
    found = len(before.decode("utf-16-le", "ignore"))
    return found + (assoc < 0 and units(text[:found]) < index)


def units(text: str) -> int:
    """How long Yjs finds a text, which counts UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
