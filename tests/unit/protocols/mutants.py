"""Updates that nobody honest would send: honest ones with damage, and well-formed ones that make no sense.

The stream depends on the seed alone, so that a failure can be had again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

from partyroom.protocols.guard import check
from partyroom.protocols.lib0 import Encoder, varuint

VECTORS = Path(__file__).parent / "vectors" / "updates.json"
NUMBERS = [0, 1, 2, 3, 5, 7, 10, 31, 63, 64, 127, 128, 255, 300, 16384, 2**21]
NUMBERS += [2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53 - 1]
TEXTS = ["", "a", "ab", "é", "😀", "a😀b", "\0", "x" * 40, "prosemirror", "t", "m", "a"]


def honest() -> dict[str, list[bytes]]:
    """What Yjs wrote (vectors/generate.mjs), by the name of the scene: its updates in order."""
    scenes = json.loads(VECTORS.read_text())
    return {name: [bytes.fromhex(update) for update in updates] for name, updates in scenes.items()}


def mutants(seed: int, count: int) -> Iterator[tuple[list[bytes], bytes]]:
    """``count`` pairs: the honest updates to apply first, and the update that follows them."""
    random = Random(seed)
    scenes = [updates for updates in honest().values() if updates]
    everything = [update for updates in scenes for update in updates]
    for _ in range(count):
        scene = random.choice(scenes)
        cut = random.randrange(len(scene) + 1)
        before = scene[max(0, cut - 30) : cut]
        if random.random() < 0.5:
            yield before, damaged(random, random.choice(scene if random.random() < 0.8 else everything), everything)
        else:
            yield before, senseless(random, clients_of(scene))


def clients_of(scene: list[bytes]) -> list[int]:
    """The client ids at the start of a scene's updates, roughly, so that what is made up meets what is there."""
    found = {client for update in scene for client in check(update).clients}
    return [*sorted(found), 1, 2, 2**53 - 1]


def damaged(random: Random, update: bytes, others: list[bytes]) -> bytes:
    """An honest update with up to four pieces of damage."""
    data = bytearray(update)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(data) + 1)
        match random.randrange(8):
            case 0 if data:
                data[at % len(data)] ^= 1 << random.randrange(8)
            case 1 if data:
                data[at % len(data)] = random.randrange(256)
            case 2:
                data[at : at + random.randint(1, 4)] = b""
            case 3:
                data[at:at] = random.randbytes(random.randint(1, 4))
            case 4:
                data[at : at + random.randint(0, 2)] = varuint(random.choice(NUMBERS))
            case 5:
                data[at : at + 3] = data[at : at + 3] * random.randint(2, 5)
            case 6:
                other = random.choice(others)
                start = random.randrange(len(other) + 1)
                data[at:at] = other[start : start + random.randint(1, 30)]
            case 7 if data:
                data[at % len(data)] = (data[at % len(data)] + random.choice([-1, 1])) % 256
    return bytes(data)


def senseless(random: Random, clients: list[int]) -> bytes:
    """A well-formed update at random: who refers to what has nothing to do with any document."""
    sections = random.sample(clients, random.randint(1, min(3, len(clients))))
    out = Encoder().varuint(len(sections))
    for client in sorted(sections, reverse=True):
        clock = random.choice([0, 0, 0, 1, 2, 5, random.randrange(60)])
        structs = random.randint(1, 6)
        out.varuint(structs).varuint(client).varuint(clock)
        for _ in range(structs):
            clock += _struct(random, out, client, clock, clients)
    deleted = random.sample(clients, random.randint(0, 2))
    out.varuint(len(deleted))
    for client in deleted:
        ranges = random.randint(0, 3)
        out.varuint(client).varuint(ranges)
        for _ in range(ranges):
            out.varuint(random.randrange(40)).varuint(random.choice([0, 1, 2, 7, 40, 2**30]))
    return bytes(out)


def _struct(random: Random, out: Encoder, client: int, clock: int, clients: list[int]) -> int:
    kind = random.choice([0, 10, 1, 3, 4, 4, 4, 5, 6, 7, 7, 7, 8, 8, 9])
    if kind in (0, 10):
        length = random.choice([1, 1, 2, 5])
        out.data.append(kind)
        out.varuint(length)
        return length
    flags = random.choice([0, 0, 0x20, 0x80, 0x40, 0xC0, 0xA0])
    out.data.append(kind | flags)
    for flag in (0x80, 0x40):
        if flags & flag:
            _reference(random, out, client, clock, clients)
    if not flags & 0xC0:
        if random.random() < 0.4:
            out.varuint(1).string(random.choice(TEXTS))
        else:
            out.varuint(0)
            _reference(random, out, client, clock, clients)
        if flags & 0x20:
            out.string(random.choice(TEXTS))
    return _content(random, out, kind)


def _reference(random: Random, out: Encoder, client: int, clock: int, clients: list[int]) -> None:
    who = client if clock and random.random() < 0.6 else random.choice(clients)
    when = random.randrange(clock) if who == client and clock else random.randrange(30)
    out.varuint(who).varuint(when)


def _content(random: Random, out: Encoder, kind: int) -> int:
    """Writes a content at random, and returns how many clock ticks it takes."""
    count = random.randint(0, 3)
    text = random.choice(TEXTS)
    match kind:
        case 1:
            out.varuint(count)
            return count
        case 3:
            out.buffer(random.randbytes(count))
        case 4:
            out.string(text)
            return len(text.encode("utf-16-le")) // 2
        case 5:
            out.string(json.dumps({"image": [text]}))
        case 6:
            out.string(random.choice(["bold", "", "link"])).string(random.choice(["true", "null", '{"a":[1]}']))
        case 7:
            ref = random.choice([0, 1, 2, 3, 4, 6])
            out.data.append(ref)
            if ref == 3:
                out.string(text)
        case 8:
            out.varuint(count)
            for _ in range(count):
                out.any(random.choice([1, -0.0, 1.5, "x", None, True, [1, {"a": b"b"}], 2**60]))
            return count
        case 9:
            out.string(text).any(random.choice([{}, {"meta": [1], "autoLoad": True}, {"gc": False}, None, 5, "x"]))
    return 1
