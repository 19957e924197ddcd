"""Two people who do anything at all, checked after each step; ``test_fuzz`` and tests/prove run it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from random import Random

from partyroom_tui.document import LinesDocument
from partyroom_tui.syntax import Syntax
from partyroom_tui.wrapping import Wrapping
from textual import events
from textual.document._document import Selection
from textual.strip import Strip

from partyroom.client import Position
from tests.tui.apps import eventually
from tests.tui.pair import Pair, Seat, paired

PIECES = (
    *("a", "b", " ", "(", ")", "\n", "\r", "\r\n", "\n\n", "\t"),
    *("\u2028", "\x0c", "\x1b[31m", "\x00", "\u202e", "\u200d", "\ufe0f", "\ufeff"),
    *("é", "e\u0301", "\u0301", "漢字", "😀", "👩\u200d👩\u200d👧", "👍🏽", "❤\ufe0f", "🇩🇪"),
    *("def f(x):\n    return x\n", "# a comment\n", '"""', "long " * 30, "漢" * 50, "x" * 90),
)
BEGIN = 'def hello(name):\r\n\treturn f"hi {name} 👩\u200d👩\u200d👧"\n\n# 漢字 e\u0301\rlast\u2028line'
ACTIONS = (
    *("delete_left", "delete_right", "delete_word_left", "delete_word_right", "delete_line", "delete_to_start_of_line"),
    *("cut", "copy", "paste", "cursor_left", "cursor_right", "cursor_up", "cursor_down", "cursor_word_left"),
    *("cursor_line_start", "cursor_line_end", "cursor_word_right", "cursor_page_up", "cursor_page_down", "select_line"),
    *("undo", "redo") * 4,
)


async def fuzz(seed: int, steps: int) -> int:
    """One run; returns how many code points the text has in the end."""
    random = Random(seed)
    wrap = bool(seed % 2)
    async with paired(
        BEGIN,
        ada={"size": (40, 12), "soft_wrap": wrap, "language": "python", "show_line_numbers": True},
        bob={"size": (23, 9), "soft_wrap": not wrap, "tab_behavior": "indent"},
    ) as pair:
        for step in range(steps):
            try:
                await _step(random, pair)
                await _check(pair.ada, pair.bob, online=not pair.inside.down, thoroughly=step % 5 == 4)
            except BaseException as error:
                error.add_note(f"in step {step} of run {seed}")
                raise
        await _online(pair)
        await _check(pair.ada, pair.bob, online=True, thoroughly=True)
        assert pair.ada.shared == pair.bob.shared
        return len(pair.ada.shared)


async def _online(pair: Pair) -> None:
    if pair.inside.down:
        await pair.inside.mend()
    await pair.settle()


async def _step(random: Random, pair: Pair) -> None:
    seat, other = random.sample((pair.ada, pair.bob), 2)
    kept = {one: _kept(one) for one in (seat, other)}
    if random.random() < 0.04:
        if pair.inside.down:
            await _online(pair)
        else:
            pair.inside.cut()
    elif random.random() < 0.1:
        _program(random, seat)
    else:
        await seat.do(_action(random, seat))
        del kept[seat]  # it is where the user has moved it
    await pair.settle()
    for one, positions in kept.items():
        _is_at(one, *positions)


def _program(random: Random, seat: Seat) -> None:
    """An edit of the shared text behind the widget's back."""
    text = seat.area.shared
    start = random.randint(0, len(text))
    stop = min(len(text), start + random.choice((0, 0, 1, 3, 20)))
    if random.random() < 0.2:
        text.set(str(text)[:start] + random.choice(PIECES) + str(text)[stop:])
    else:
        text[start:stop] = random.choice(PIECES)


def _action(random: Random, seat: Seat) -> Callable[[], object]:
    area = seat.area
    length = len(seat.shared)
    at, to = random.randint(0, length), random.randint(0, length)
    location = area.document.get_location_from_index
    match random.randrange(12):
        case 0 | 1 | 2:
            char = random.choice("ab (){}é漢😀")
            return lambda: area.post_message(events.Key(char, char))
        case 3:
            return lambda: area.post_message(events.Key("enter", "\r"))
        case 4:
            piece = random.choice(PIECES)
            return lambda: area.post_message(events.Paste(piece))
        case 5:
            piece = random.choice(PIECES)
            return lambda: area.insert(piece, location(at), maintain_selection_offset=bool(at % 2))
        case 6:
            end = min(length, at + 5)
            return lambda: area.replace(random.choice(PIECES), location(at), location(end))
        case 7:
            return lambda: setattr(area, "selection", Selection(location(at), location(to)))
        case 8 if random.random() < 0.3:
            return lambda: setattr(area, "soft_wrap", not area.soft_wrap)
        case 9 if random.random() < 0.2:
            return lambda: area.load_text(seat.shared[:at] + "loaded\r\n" + seat.shared[min(at + 3, length) :])
    action = random.choice(ACTIONS)
    return lambda: area.run_action(action)


def _kept(seat: Seat) -> tuple[Position, Position]:
    """Where the selection's ends are, as the relative positions that a caret and a selection cling by."""
    anchor, head = seat.ends
    text = seat.area.shared
    if anchor == head:
        return text.position(anchor, -1), text.position(head, -1)
    return text.position(anchor, 0 if anchor < head else -1), text.position(head, 0 if head < anchor else -1)


def _is_at(seat: Seat, anchor: Position, head: Position) -> None:
    """The selection is where the positions are now; what is within a line end is shown before it."""
    there = [seat.area.shared.locate(position) for position in (anchor, head)]
    shown = [seat.area.document.get_location_from_index(at) for at in there if at is not None]
    assert list(seat.area.selection) == shown, (there, seat.ends)


async def _check(*seats: Seat, online: bool, thoroughly: bool) -> None:
    for seat in seats:
        area = seat.area
        assert area.text == area.document.text == seat.shared
        _check_screen(area.document, area.wrapped_document, area.wrap_width, area.indent_width)
        if thoroughly:
            await _check_painted(seat)
            if area.syntax is not None:
                area._colour()
                _check_syntax(area.document, area.syntax)
    if online:
        for seat, other in (seats, seats[::-1]):
            with suppress(TimeoutError):  # a room that was left and is found again may take more than a few ticks
                await eventually(partial(_is_seen, seat, other), timeout=5)
            assert _is_seen(seat, other), (seat.area.cursors.found, other.area.selection)


def _is_seen(seat: Seat, other: Seat) -> bool:
    """Whether one shows the other's cursor where the other has it."""
    cursor = seat.area.cursors.found.get(other.client.client_id)
    return cursor is not None and (cursor.anchor, cursor.head) == tuple(other.area.selection)


async def _check_painted(seat: Seat) -> None:
    """What has been painted is what would be painted now, in all its colours; 60 times a second Textual paints."""
    area = seat.area
    with suppress(TimeoutError):
        await eventually(lambda: not list(_unlike(seat)), timeout=5)
    assert not list(_unlike(seat)), (area.selection, area.scroll_offset, area.virtual_size)
    labels = area._labels
    area._relabel()
    assert area._labels == labels, (area._labels, labels, area._labels_for, area.text_width)


def _unlike(seat: Seat) -> Iterator[tuple[int, str, str]]:
    """The rows that do not look on the screen as they should."""
    area = seat.area
    width, height = area.size.width - area.scrollbar_size_vertical, area.size.height - area.scrollbar_size_horizontal
    painted = seat.pilot.app.screen._compositor.render_strips()
    for y in range(height):
        row = area.render_line(y)
        if row.cell_length != width or _cells(painted[y], width) != _cells(row, width):
            yield y, painted[y].text, row.text


def _cells(strip: Strip, width: int) -> list[tuple[str, object, object, bool]]:
    """Each character up to a width, with its colours."""
    return [
        (char, segment.style.color, segment.style.bgcolor, bool(segment.style.underline))
        for segment in strip.crop(0, width)
        if segment.style is not None
        for char in segment.text
    ]


def _check_screen(document: LinesDocument, wrapping: Wrapping, width: int, indent: int) -> None:
    fresh = Wrapping(LinesDocument(document.text), width, indent)
    assert fresh.document.lines == document.lines
    assert fresh.height == wrapping.height
    assert fresh.widest == wrapping.widest
    assert [fresh.get_offsets(row) for row in range(document.line_count)] == [
        wrapping.get_offsets(row) for row in range(document.line_count)
    ]


def _check_syntax(document: LinesDocument, syntax: Syntax) -> None:
    """What is known of lines is what the tree says. (Another parse of broken code may recover otherwise.)"""
    assert not syntax.behind
    known = [syntax.row(row) for row in range(document.line_count)]
    syntax.forget()
    assert known == [syntax.row(row) for row in range(document.line_count)]
