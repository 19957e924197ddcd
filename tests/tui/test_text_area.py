"""SharedTextArea: two people type, select, undo, paste, go offline and follow each other in one text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from partyroom_tui import SharedTextArea, user
from pycrdt import Doc, Text, UndoManager
from textual import events
from textual.app import App, ComposeResult
from textual.document._document import Selection
from textual.widgets import Input
from textual.widgets.text_area import LanguageDoesNotExist

from partyroom.client import Change, DocumentClient, SpanEdit
from partyroom.testing import settle
from tests.tui.pair import Seat, paired, seated
from tests.unit.client.inside import Inside


def edits(seat: Seat) -> list[SpanEdit]:
    """All edits from now on, as this person's document hears of them."""
    heard: list[SpanEdit] = []

    def hear(change: Change) -> None:
        heard.extend(edit for edit in change.edits if isinstance(edit, SpanEdit))

    seat.area.shared.on_change(hear)
    return heard


async def said(seat: Seat) -> list[str]:
    """What the app has told the user."""
    await seat.pilot.pause()
    return [str(notification.message) for notification in seat.pilot.app._notifications]


def screen(seat: Seat) -> list[str]:
    """What is on the screen."""
    return [seat.area.render_line(y).text.rstrip() for y in range(seat.area.size.height)]


class TestEditing:
    async def test_what_one_types_is_one_edit_a_key_and_the_other_sees_it(self) -> None:
        async with paired("hello\r\nworld") as pair:
            heard = edits(pair.bob)
            await pair.ada.press("end")
            await pair.ada.type("!")
            await pair.settle()
            await pair.ada.type("é")
            await pair.settle()
            assert heard == [SpanEdit((), 5, "!", ""), SpanEdit((), 6, "é", "")]
            assert pair.bob.area.text == pair.bob.shared == "hello!é\r\nworld"

    async def test_a_new_line_ends_as_those_around_it(self) -> None:
        async with paired("one\r\ntwo\rthree") as pair:
            await pair.ada.press("end", "enter", "down", "enter", "down", "end", "enter")
            assert pair.ada.shared == "one\r\n\r\n\rtwo\rthree\r"

    async def test_a_paste_of_any_size_is_one_edit_and_has_the_line_ends_of_the_text(self) -> None:
        async with paired("first\nlast") as pair:
            heard = edits(pair.bob)
            lines = "\r".join(f"line {number} 😀" for number in range(2_000))  # terminals send \r
            pair.ada.area.post_message(events.Paste(lines))
            await pair.settle()
            assert pair.bob.area.text == lines.replace("\r", "\n") + "first\nlast"
            assert len(heard) == 1

    async def test_text_that_is_put_in_by_a_program_stays_as_it_is(self) -> None:
        async with paired("a\n") as pair:
            await pair.ada.do(lambda: pair.ada.area.insert("\rx\u2028y\r\n", (0, 1)))
            assert pair.ada.area.text == pair.ada.shared == "a\rx\u2028y\r\n\n"
            assert pair.ada.area.document.lines == ["a", "x␤y", "", ""]

    async def test_what_replaces_its_like_is_edited_where_it_differs(self) -> None:
        async with paired("the quick fox") as pair:
            heard = edits(pair.bob)
            await pair.ada.do(lambda: pair.ada.area.replace("the quack fox", (0, 0), (0, 13)))
            await pair.ada.do(lambda: setattr(pair.ada.area, "text", "the quack ox"))
            await pair.settle()
            assert heard == [SpanEdit((), 6, "a", "i"), SpanEdit((), 10, "", "f")]

    async def test_a_cursor_does_not_stop_within_a_character_nor_leave_half_of_it(self) -> None:
        async with paired("👍🏽e\u0301x") as pair:
            await pair.ada.press("right")
            assert pair.ada.ends == (2, 2)
            await pair.ada.press("right", "backspace", "backspace")
            assert pair.ada.shared == "x"

    async def test_what_is_no_text_is_refused_with_a_word(self) -> None:
        async with paired("a") as pair:
            await pair.ada.do(lambda: pair.ada.area.insert("\ud83d"))
            assert pair.ada.area.text == pair.ada.shared == "a"
            assert "half of a surrogate pair" in (await said(pair.ada))[0]

    async def test_edits_of_programs_and_of_other_widgets_are_shown(self) -> None:
        async with paired("a") as pair:
            pair.ada.client.text("body").append("b")
            pair.ada.client.doc.get("body", type=Text).insert(0, "ä")
            await pair.settle()
            assert pair.ada.area.text == pair.bob.area.text == "äab"

    async def test_an_edit_that_comes_between_two_keys_is_taken_in_before_the_second(self) -> None:
        async with paired("0123456789") as pair:
            await pair.ada.select(5)

            def both() -> None:
                pair.ada.client.text("body").insert(0, "new ")  # and the widget has not heard of it yet
                pair.ada.area.action_delete_left()

            await pair.ada.do(both)
            assert pair.ada.shared == "new 012356789"

    async def test_offline_edits_go_on_and_all_merge(self) -> None:
        async with paired("middle\n") as pair:
            pair.inside.cut()
            await pair.ada.type("ada ")
            await pair.bob.press("down")
            await pair.bob.type("bob")
            await pair.inside.mend()
            await pair.settle()
            assert pair.ada.area.text == pair.bob.area.text == "ada middle\nbob"

    async def test_before_it_is_shown_it_can_be_edited_too(self) -> None:
        async with Inside.running() as inside, inside.joined() as client:
            area = SharedTextArea(client, "body")
            area.insert("early")
            assert area.text == str(client.text("body")) == "early"
            client.text("body").append(" bird")
            async with App[None]().run_test() as pilot:
                await pilot.app.mount(area)
                assert area.text == "early bird"


class TestOthersEdits:
    @pytest.mark.parametrize("backwards", [False, True])
    async def test_the_selection_stays_on_what_is_selected_in_its_direction(self, backwards: bool) -> None:
        async with paired("zero one two") as pair:
            await pair.ada.select(*((8, 5) if backwards else (5, 8)))
            await pair.bob.type("x\n")
            await pair.bob.select(10, 10)
            await pair.bob.type("!")
            await pair.settle()
            assert pair.ada.area.selected_text == "one"
            anchor, head = pair.ada.ends
            assert (anchor > head) == backwards

    async def test_what_is_in_view_stays_there_when_lines_come_and_go_above(self) -> None:
        async with paired("\n".join(f"line {number}" for number in range(100))) as pair:
            await pair.ada.do(lambda: pair.ada.area.move_cursor((50, 3), center=True))
            before = screen(pair.ada)
            await pair.bob.type("new\nlines\n")
            await pair.settle()
            assert screen(pair.ada) == before
            assert pair.ada.area.selection == Selection.cursor((52, 3))
            await pair.bob.do(lambda: pair.bob.area.delete((0, 0), (10, 0)))
            await pair.settle()
            assert screen(pair.ada) == before

    async def test_somebody_who_has_scrolled_away_from_the_cursor_stays_there(self) -> None:
        async with paired("\n".join(f"line {number}" for number in range(100))) as pair:
            await pair.ada.do(lambda: pair.ada.area.scroll_to(y=40, animate=False))
            before = screen(pair.ada)
            await pair.bob.type("new\n")
            await pair.settle()
            assert screen(pair.ada) == before
            assert pair.ada.area.selection == Selection.cursor((0, 0))

    async def test_at_the_top_of_the_text_what_comes_above_is_seen(self) -> None:
        async with paired("text") as pair:
            await pair.ada.press("end")
            await pair.bob.type("title\n")
            await pair.settle()
            assert screen(pair.ada)[0].startswith("title")

    async def test_the_cursor_is_not_pushed_off_the_screen(self) -> None:
        async with paired("\n".join(f"line {number}" for number in range(100))) as pair:
            await pair.ada.do(lambda: pair.ada.area.move_cursor((45, 0), center=True))
            top = pair.ada.area.scroll_offset.y
            await pair.bob.do(lambda: pair.bob.area.insert("new\n" * 30, (top + 1, 0)))
            await pair.settle()
            assert pair.ada.area.selection == Selection.cursor((75, 0))
            y = pair.ada.area.cursor_screen_offset.y
            assert 0 <= y < pair.ada.area.size.height


class TestUndo:
    async def test_it_takes_back_ones_own_edits_and_nobody_elses(self) -> None:
        async with paired("text") as pair:
            await pair.ada.type("a")
            await pair.settle()
            await pair.bob.type("b")
            await pair.settle()
            await pair.ada.press("ctrl+z")
            await pair.settle()
            assert pair.ada.area.text == pair.bob.area.text == "btext"
            await pair.ada.press("ctrl+z", "ctrl+y")
            await pair.settle()
            assert sorted(pair.bob.area.text) == sorted("abtext")

    async def test_what_is_typed_without_a_pause_is_one_step_until_the_cursor_moves(self) -> None:
        async with paired("", ada={"undo_pause": 3600}) as pair:
            await pair.ada.type("one")
            await pair.ada.press("left", "right")
            await pair.ada.type(" two\nthree")
            texts = [pair.ada.shared]
            while pair.ada.shared:
                await pair.ada.press("ctrl+z")
                texts.append(pair.ada.shared)
            assert texts == ["one two\nthree", "one two\n", "one two", "one", ""]
            for text in texts[-2::-1]:
                await pair.ada.press("ctrl+y")
                assert pair.ada.shared == text

    async def test_the_cursor_goes_to_what_was_undone(self) -> None:
        async with paired("first\nlast") as pair:
            await pair.ada.press("delete", "down", "end", "ctrl+z")
            assert pair.ada.shared == "first\nlast"
            assert pair.ada.ends == (1, 1)

    async def test_it_goes_on_in_another_document_object(self) -> None:
        async with paired("") as pair:
            await pair.ada.type("old")
            await pair.settle()
            source: Doc[Any] = Doc()
            source["body"] = Text("new ")
            await pair.inside.party.replace(source.get_update())
            await pair.settle()
            assert pair.ada.area.text == pair.bob.area.text == "new "
            await pair.ada.press("ctrl+z")
            await pair.ada.type("x")
            await pair.ada.press("ctrl+z")
            await pair.settle()
            assert pair.bob.area.text == "new "
            assert pair.ada.client.client_id in pair.bob.area.cursors.found

    async def test_an_emoji_cut_in_half_by_another_disturbs_nobody(self) -> None:
        async with paired("a🎉b") as pair:
            await pair.ada.press("end")
            # What Yjs sends for an x between the two halves of it: an item whose origins are the ticks 1 and 2.
            await pair.inside.party.merge(b"\x01\x01\x07\x00\xc4\x01\x01\x01\x02\x01x\x00")
            await pair.settle()
            assert "x" in pair.ada.area.text
            assert pair.ada.area.text == pair.ada.shared == pair.bob.area.text
            await pair.ada.type("x")
            await pair.ada.press("ctrl+z")
            assert pair.ada.area.text == pair.ada.shared

    async def test_a_panic_of_the_engine_does_not_reach_the_screen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class PanicException(BaseException):
            pass

        def fail(*args: object) -> None:
            raise PanicException("called `Option::unwrap()` on a `None` value")

        async with paired("text") as pair:
            await pair.ada.type("a")
            monkeypatch.setattr(UndoManager, "undo", fail)
            await pair.ada.press("ctrl+z")
            assert "Undo has failed" in (await said(pair.ada))[0]
            monkeypatch.setattr(type(pair.ada.client.doc), "apply_update", fail)
            await pair.ada.type("b")
            monkeypatch.undo()
            assert pair.ada.area.text == pair.ada.shared == "atext"
            await pair.ada.type("c")
            assert pair.ada.area.text == pair.ada.shared == "actext"


class TestReadOnly:
    async def test_the_server_says_no_and_the_user_is_told_at_the_first_key(self) -> None:
        async with Inside.running() as inside, inside.joined() as bob:
            bob.text("body").append("text")
            async with inside.joined(query={"mode": "read"}, user=user("Ada")) as client, seated(client) as ada:
                assert ada.area.read_only
                await ada.type("x")
                await ada.press("backspace", "ctrl+z")
                pasted = events.Paste("y")
                ada.area.post_message(pasted)
                await ada.do(lambda: ada.area.insert("z"))
                assert ada.area.text == ada.shared == "text"
                assert await said(ada) == ["You may read here, but not write."]
                await ada.press("right")
                assert ada.ends == (1, 1)

    async def test_an_app_may_show_a_text_to_be_read_only(self) -> None:
        async with paired("text", ada={"read_only": True}) as pair:
            await pair.ada.type("x")
            assert (pair.ada.shared, await said(pair.ada)) == ("text", [])
            await pair.ada.do(lambda: setattr(pair.ada.area, "read_only", False))
            await pair.ada.type("x")
            assert pair.ada.shared == "xtext"


class TestCursors:
    async def test_each_sees_where_the_other_is_and_what_is_selected(self) -> None:
        async with paired("one two 😀 three") as pair:
            await pair.ada.select(9, 4)
            await pair.settle()
            (cursor,) = pair.bob.area.cursors.found.values()
            assert (cursor.client, cursor.name) == (pair.ada.client.client_id, "Ada")
            assert (cursor.anchor, cursor.head) == ((0, 9), (0, 4))
            assert screen(pair.bob)[0] == "one two 😀 three   Ada"
            styles = [segment.style for segment in pair.bob.area.render_line(0) if segment.style is not None]
            assert any(style.underline and style.bgcolor is not None for style in styles), "not by colour alone"

    @pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "dracula", "solarized-light"])
    async def test_a_caret_stands_out_in_every_theme(self, theme: str) -> None:
        from partyroom_tui.colours import CONTRAST, contrast
        from textual.color import Color

        async with paired("text") as pair:
            await pair.ada.press("end")
            pair.bob.pilot.app.theme = theme
            await pair.settle()
            await pair.bob.pilot.pause()
            caret = next(
                s.style for s in pair.bob.area.render_line(0) if s.style and s.style.bold and s.style.underline
            )
            assert caret.bgcolor is not None
            background = pair.bob.area.text_background
            assert contrast(Color.from_rich_color(caret.bgcolor), background) >= CONTRAST

    async def test_who_looks_elsewhere_shows_no_cursor(self) -> None:
        async with paired("text") as pair:
            assert len(pair.bob.area.cursors.found) == 1
            await pair.ada.do(pair.ada.area.blur)
            await pair.settle()
            assert pair.bob.area.cursors.found == {}
            assert screen(pair.bob) == ["text", *[""] * 15]
            await pair.ada.do(pair.ada.area.focus)
            await pair.settle()
            assert len(pair.bob.area.cursors.found) == 1

    async def test_who_has_no_name_for_others_is_not_shown_by_moving(self) -> None:
        async with Inside.running() as inside, inside.joined() as one, inside.joined() as other, seated(one) as seat:
            await seat.press("right")
            await settle()
            assert other.others == {}

    @pytest.mark.parametrize(
        "cursor",
        [
            *(7, {}, {"anchor": None, "head": None}, {"anchor": {"tname": "other"}, "head": {"tname": "other"}}),
            {"anchor": {"item": {"client": 9, "clock": 9}}, "head": {"item": {"client": 9, "clock": 9}}},
        ],
    )
    async def test_cursors_that_are_nowhere_in_this_text_are_not_shown(self, cursor: Any) -> None:
        async with paired("text") as pair:
            await pair.ada.do(pair.ada.area.blur)
            pair.ada.client.set_presence(cursor=cursor)
            await pair.settle()
            assert pair.bob.area.cursors.found == {}

    async def test_strangers_names_and_text_cannot_command_the_terminal(self) -> None:
        async with paired("\x1b]0;evil\x07\x9b2J", bob={"size": (60, 3)}) as pair:
            pair.ada.client.user = {"name": "\x1b[31m[b]evil[/b]\n", "color": "url(javascript:1)"}
            await pair.settle()
            shown = "\n".join(screen(pair.bob))
            assert "[b]evil[/b]" in shown
            assert not any((ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160 for char in shown)

    async def test_a_client_with_two_texts_shows_the_cursor_of_the_one_in_use(self) -> None:
        class TwoTexts(App[None]):
            def __init__(self, client: DocumentClient) -> None:
                super().__init__()
                self.client = client

            def compose(self) -> ComposeResult:
                yield SharedTextArea(self.client, "one", id="one", beat=0)
                yield SharedTextArea(self.client, "two", id="two", beat=0)
                yield Input()

        async with Inside.running() as inside, inside.joined(user=user("Ada")) as client, inside.joined() as other:
            async with TwoTexts(client).run_test() as pilot:

                def where() -> object:
                    (state,) = other.others.values()
                    return state["cursor"]["head"]["tname"] if "cursor" in state else None

                found = []
                for name in ("#one", "#two", "Input", "#one"):
                    pilot.app.query_one(name).focus()
                    await pilot.pause()
                    await settle()
                    found.append(where())
                assert found == ["one", "two", None, "one"]
            await settle()
            assert where() is None, "the widget has gone, and its cursor is still shown"


class TestFollowing:
    async def test_whoever_is_followed_stays_in_view_until_one_moves(self) -> None:
        async with paired("\n".join(map(str, range(200)))) as pair:
            await pair.bob.do(lambda: pair.bob.area.follow(pair.ada.client.client_id))
            await pair.ada.do(lambda: pair.ada.area.move_cursor((150, 0)))
            await pair.settle()
            assert pair.bob.area.sees(150)
            assert pair.bob.area.selection == Selection.cursor((0, 0))
            await pair.ada.type("x\n" * 3)
            await pair.settle()
            assert pair.bob.area.sees(153)
            await pair.bob.press("down")
            assert pair.bob.area.following is None
            await pair.ada.do(lambda: pair.ada.area.move_cursor((100, 0)))
            await pair.settle()
            assert not pair.bob.area.sees(100)

    @pytest.mark.parametrize(
        "leave",
        [
            lambda seat: seat.press("x"),
            lambda seat: seat.press("shift+right"),
            lambda seat: seat.pilot._post_mouse_events([events.MouseScrollDown], seat.area, button=0),
            lambda seat: seat.pilot.click(SharedTextArea, offset=(2, 2)),
        ],
        ids=["key", "selection", "wheel", "click"],
    )
    async def test_any_movement_of_ones_own_ends_it(self, leave: Callable[[Seat], Any]) -> None:
        async with paired("\n".join(map(str, range(50)))) as pair:
            await pair.bob.do(lambda: pair.bob.area.follow(pair.ada.client.client_id))
            await pair.ada.press("down", "x")
            await pair.settle()
            assert pair.bob.area.following == pair.ada.client.client_id
            await leave(pair.bob)
            await pair.bob.idle()
            assert pair.bob.area.following is None

    async def test_it_ends_when_they_leave(self) -> None:
        async with paired("text") as pair:
            await pair.bob.do(lambda: pair.bob.area.follow(pair.ada.client.client_id))
            pair.ada.client.user = None
            await pair.ada.do(pair.ada.area.blur)
            await pair.settle()
            assert pair.bob.area.following is None


class TestLanguages:
    async def test_code_is_coloured_and_stays_so(self) -> None:
        async with paired("def f():\n    return 1\n", ada={"language": "python"}) as pair:
            area = pair.ada.area
            await pair.ada.press("down", "down")

            def words() -> dict[str, Any]:
                return {s.text: s.style.color for s in area.render_line(1) if s.style is not None}

            assert words()["return"] != words()["1"]
            await pair.bob.type("# ")
            await pair.settle()
            assert words()["return"] != words()["1"]
            await pair.ada.do(lambda: setattr(area, "language", None))
            assert not area.is_syntax_aware
            assert "return" not in words()

    async def test_a_language_without_a_grammar_is_an_error(self) -> None:
        async with Inside.running() as inside, inside.joined() as client:
            with pytest.raises(LanguageDoesNotExist, match="tree-sitter-klingon"):
                SharedTextArea(client, language="klingon")


async def test_there_are_keys_for_both_ends_of_the_text() -> None:
    async with paired("one\ntwo\nthree") as pair:
        await pair.ada.press("ctrl+end")
        assert pair.ada.ends == (13, 13)
        await pair.ada.press("ctrl+shift+home")
        assert pair.ada.ends == (13, 0)
        await pair.ada.press("ctrl+home")
        assert pair.ada.ends == (0, 0)
