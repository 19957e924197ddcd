"""Values: what Python writes into maps, arrays and texts, Yjs reads as the same, and the other way round."""

from __future__ import annotations

from base64 import b64decode, b64encode
from random import Random
from typing import Any

from tests.interop.conftest import StartClient
from tests.unit.client.rooms import Room

VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    2**31,
    2**53 - 1,
    0.1,
    1e300,
    "",
    "ä漢😀",
    b"",
    b"\0\xff",
    [],
    [1, [b"x"]],
    {},
    {"ключ": {"😀": 2.5}},
]


def as_json(value: Any) -> Any:
    """A value as the script says it: bytes in base64."""
    match value:
        case bytes():
            return {"bytes": b64encode(value).decode()}
        case list():
            return [as_json(one) for one in value]
        case dict():
            return {key: as_json(one) for key, one in value.items()}
    return value


def held(room: Room) -> dict[str, Any]:
    return {
        "map": as_json(room.map("map").copy()),
        "array": as_json(room.array("array").copy()),
        "text": str(room.text("text")),
    }


def edit(room: Room, dice: Random) -> None:
    state, rows, text = room.map("map"), room.array("array"), room.text("text")
    match dice.randrange(8):
        case 0:
            state[dice.choice("abc")] = dice.choice(VALUES)
        case 1:
            state.map("d").update({dice.choice("xy"): dice.choice(VALUES)})
        case 2:
            state.text("e").insert(dice.randrange(5), dice.choice("aé😀"))
        case 3:
            rows.insert(dice.randrange(5), dice.choice(VALUES))
        case 4:
            rows.insert_map(dice.randrange(5), {"k": dice.choice(VALUES)})
        case 5:
            del rows[dice.randrange(4) : 3]
        case 6:
            text.insert(dice.randrange(5), dice.choice(["ab", "é", "😀😀"]))
        case _:
            del text[dice.randrange(4) : 3]


async def test_yjs_reads_what_python_wrote_and_python_what_yjs_wrote(start_client: StartClient) -> None:
    node = await start_client("oracle.js")
    for seed in range(25):
        dice = Random(seed)
        rooms = [Room(client_id) for client_id in (1, 2)]
        for _ in range(4):
            for room in rooms:
                for _ in range(dice.randrange(8)):
                    edit(room, dice)
            rooms[0].sync(rooms[1])
        update = b64encode(rooms[0].doc.get_update()).decode()
        assert await node.call("read", update=update) == held(rooms[0]) == held(rooms[1])
        touched = await node.call("touch", update=update)
        rooms[0].receive(b64decode(touched.pop("update")))
        touched["map"]["undefined"] = None  # which JSON leaves out
        assert held(rooms[0]) == touched
