"""Widgets of our own, without a page: what people do in one notebook is in the other, whatever strangers store."""

from __future__ import annotations

from typing import Any

import pandas
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from partyroom_widgets import Room
from partyroom_widgets.board import MOST_POINTS, WIDEST, stroke
from partyroom_widgets.talk import LONGEST, message
from partyroom_widgets.text import where
from partyroom_widgets.view import View

import partyroom
from partyroom.client import SocketRoom
from tests.unit.client.beside import Beside

from .conftest import Join
from .waiting import until

HOSTILE = "<img src=x onerror=alert(1)>\u202e"
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=5), inside, max_size=4),
    max_leaves=8,
)


def sent(view: View, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What a view sends its pages from now on."""
    messages: list[dict[str, Any]] = []
    monkeypatch.setattr(view, "send", lambda content, buffers=None: messages.append({**content, "buffers": buffers}))
    return messages


def page(view: View, **content: Any) -> None:
    """The page says something."""
    buffers = content.pop("buffers", [])
    view._heard(view, content, buffers)


# -- chat ------------------------------------------------------------------------------------------------------------


def test_a_chat_is_the_servers_and_everybodys(join: Join, server: Beside) -> None:
    ada, bob = join("Ada"), join(HOSTILE)
    here, there = ada.chat(), bob.chat()
    here.say("hello")
    page(there, type="say", text=HOSTILE)
    until(lambda: len(here.messages) == 2 == len(there.messages), ada, bob)
    assert here.messages == there.messages
    assert [one["text"] for one in here.messages] == ["hello", HOSTILE]
    assert here.messages[1]["name"] == HOSTILE.rstrip("\u202e")  # a name turns no text around
    with partyroom.connect(f"chat/{ada.name}", server=server.url, document=False) as plain:
        assert "hello" in str(plain.receive(5))


def test_who_comes_later_reads_what_was_said(join: Join) -> None:
    ada = join("Ada")
    first = ada.chat()
    first.say("early")
    until(lambda: first.messages, ada)
    late = join("Bob").chat()
    until(lambda: [one["text"] for one in late.messages] == ["early"], ada)


def test_without_a_chat_on_the_server_it_is_in_the_document(join: Join, server: Beside, monkeypatch: Any) -> None:
    monkeypatch.setattr("partyroom_widgets.talk.party_url", lambda room: f"{server.url}/parties/nothing/{room.name}")
    ada, bob = join("Ada"), join("Bob")
    here, there = ada.chat(), bob.chat()
    until(lambda: type(here._talk).__name__ == type(there._talk).__name__ == "ListTalk", ada, bob)
    here.say("hello")
    until(lambda: [one["text"] for one in there.messages] == ["hello"], ada, bob)
    there.say("and to you")
    until(lambda: [one["text"] for one in here.messages] == ["hello", "and to you"], ada, bob)
    assert ada.client.array("chat")[0]["text"] == "hello"


def test_what_is_no_message_is_refused(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = join("Ada").chat()
    told = sent(chat, monkeypatch)
    page(chat, type="say", text="x" * (LONGEST + 1))
    assert "Not sent" in told[0]["why"]
    with pytest.raises(ValueError, match="1 to 4000"):
        chat.say("  ")


@given(anything)
def test_whatever_is_stored_as_a_message_or_a_stroke_is_one_or_none(value: Any) -> None:
    one = message(value)
    assert one is None or len(one["text"]) <= LONGEST
    message({"text": "x", "at": value, "name": value, "color": value, "id": value})
    drawn = stroke({"points": value, "width": value, "color": value}) or stroke({"points": [1, 2], "color": value})
    assert drawn is not None
    assert len(drawn["points"]) <= 2 * MOST_POINTS
    assert drawn["width"] <= WIDEST


# -- polls -----------------------------------------------------------------------------------------------------------


def test_each_has_one_vote_which_may_change(join: Join) -> None:
    ada, bob = join("Ada"), join("Bob")
    here = ada.poll("Lunch?", ["soup", "salad"])
    until(lambda: "Lunch?" in bob.client.map("polls"), bob)
    there = bob.poll("Lunch?")
    here.vote("soup")
    page(there, type="vote", option="soup")
    until(lambda: here.results == {"soup": 2, "salad": 0} == there.results, ada, bob)
    page(there, type="vote", option="salad")
    until(lambda: here.counts == [1, 1] and there.mine == "salad", ada, bob)
    page(there, type="vote", option=None)
    until(lambda: here.counts == [1, 0] and there.mine is None, ada, bob)


def test_a_restart_gives_no_second_vote(join: Join) -> None:
    first = join("Ada")
    first.poll("Again?", ["yes", "no"]).vote("yes")
    first.saved()
    first.close()
    again = join("Ada").poll("Again?")
    assert again.mine == "yes"
    again.vote("no")
    assert again.results == {"yes": 0, "no": 1}


def test_a_poll_is_a_question_with_answers(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = join("Ada")
    for options, words in ((["one"], "2 to 20"), (["a", "a"], "different"), (["a", ""], "characters")):
        with pytest.raises(ValueError, match=words):
            ada.poll("Q", options)
    with pytest.raises(ValueError, match="nobody has put"):
        ada.poll("unknown")
    poll = ada.poll("Q", ["a", "b"])
    with pytest.raises(ValueError, match="none of the answers"):
        poll.vote("c")
    told = sent(poll, monkeypatch)
    page(poll, type="vote", option={"a": 1})
    assert told == [{"type": "refused", "why": "That is none of the answers.", "buffers": None}]
    ada.client.map("polls")["Q"] = [HOSTILE, 3, HOSTILE, None]
    ada.client.map("poll.Q")["x"] = ["a"]
    assert poll.results == {HOSTILE: 0}


# -- tables ----------------------------------------------------------------------------------------------------------

DF = pandas.DataFrame(
    {
        "city": ["Oslo", None],
        "people": [717, 2746],
        "area": [454.1, None],
        "coast": [True, False],
        "since": pandas.to_datetime(["1948-01-01", "2000-05-06 07:08"], format="ISO8601"),
    },
    index=["a", "b"],
)


def test_a_table_is_the_data_frame_it_began_with_and_cells_merge(join: Join) -> None:
    ada, bob = join("Ada"), join("Bob")
    here = ada.table(DF, key="cities")
    pandas.testing.assert_frame_equal(here.df, DF)
    until(lambda: "data" in bob.client.map("table.cities"), bob)
    there = bob.table(key="cities")
    here.set(0, "people", 720)
    page(there, type="edit", row=1, column=0, value="Rome")
    page(there, type="edit", row=1, column=4, value="2001-02-03")
    until(lambda: here.rows == there.rows and here.rows[1][0] == "Rome", ada, bob)
    wanted = DF.copy()
    wanted.loc["a", "people"], wanted.loc["b", "city"] = 720, "Rome"
    wanted.loc["b", "since"] = pandas.Timestamp("2001-02-03")
    for one in here, there:
        pandas.testing.assert_frame_equal(one.df, wanted)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        (1, "many", "no whole number"),
        (2, "inf", "can be shared"),
        (3, "maybe", "true or false"),
        (4, "soon", "2026-05-01"),
    ],
)
def test_what_a_column_cannot_hold_is_refused(
    join: Join, monkeypatch: pytest.MonkeyPatch, column: int, value: str, words: str
) -> None:
    table = join("Ada").table(DF)
    told = sent(table, monkeypatch)
    page(table, type="edit", row=0, column=column, value=value)
    assert [words in one.get("why", "") for one in told] == [True]


def test_others_are_seen_in_their_cells(join: Join) -> None:
    ada, bob = join("Ada"), join("Bob")
    here = ada.table(DF)
    until(lambda: "data" in bob.client.map("table.table"), bob)
    there = bob.table()
    page(there, type="place", row=1, column=2)
    until(lambda: here.places, ada)
    assert here.places == [{"row": 1, "column": 2, "name": "Bob", "color": bob.me.color}]
    page(there, type="place")
    until(lambda: not here.places, ada)


def test_a_table_needs_a_frame_that_fits(join: Join) -> None:
    ada = join("Ada")
    with pytest.raises(TypeError, match="pandas DataFrame, not list"):
        ada.table([[1]])
    with pytest.raises(ValueError, match="at most 50,000 cells"):
        ada.table(pandas.DataFrame({"x": range(50_001)}))
    with pytest.raises(ValueError, match="there is no table"):
        ada.table()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(stored=st.fixed_dictionaries(dict.fromkeys(("columns", "kinds", "index", "data"), anything)), cell=anything)
def test_whatever_is_stored_as_a_table_shows(shared: Room, stored: dict[str, Any], cell: Any) -> None:
    try:
        shared.client.map("table.any").update(stored)
        shared.client.map("table.any.cells").update({"0:0": cell, "x": 1, "9:9": 2})
    except (TypeError, ValueError, OverflowError):  # what a document does not hold
        return
    table = shared.table(key="any")
    assert len(table.df) == len(table.rows) == len(table.index)
    table.close()


@pytest.fixture
def shared(join: Join) -> Room:
    room = join("Ada")
    room.client.map("table.any")["data"] = []
    return room


# -- boards ----------------------------------------------------------------------------------------------------------


def test_undo_takes_back_ones_own_last_stroke(join: Join) -> None:
    ada, bob = join("Ada"), join("Bob")
    here, there = ada.board(), bob.board()
    here.draw([(0, 0), (10, 10)])
    until(lambda: len(there.items) == 1, bob)
    page(there, type="draft", points=[1, 2], color="#123456", width=4)
    until(lambda: here.drafts, ada)
    assert here.drafts[0]["name"] == "Bob"
    page(there, type="stroke", points=[1, 2, 3, 4], color="#123456", width=4)
    until(lambda: len(here.items) == 2 and not here.drafts, ada)
    page(here, type="undo")
    until(lambda: [one["points"] for one in there.items] == [[1, 2, 3, 4]], bob)
    here.undo()
    assert len(here.items) == 1  # which is Bob's


def test_what_is_no_stroke_is_not_drawn(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = join("Ada")
    board = ada.board()
    told = sent(board, monkeypatch)
    for points in ([], [1], ["a", "b"], [float("nan"), 1], None):
        page(board, type="stroke", points=points)
    assert [one["type"] for one in told] == ["refused"] * 5
    ada.client.array("board.board").append({"points": [1, 2], "color": "url(x)", "width": 1e4, "by": HOSTILE})
    until(lambda: board.items, ada)
    assert board.items[0] == {"points": [1, 2], "color": "#6b7280", "width": WIDEST, "by": HOSTILE}


# -- texts -----------------------------------------------------------------------------------------------------------


def test_a_text_is_the_documents_and_shows_where_others_are(join: Join) -> None:
    ada, bob = join("Ada"), join("Bob")
    here, there = ada.text("plan"), bob.text("plan")
    here.value = "x = 1"
    until(lambda: there.value == "x = 1", bob)
    cursor = {"anchor": {"tname": "plan"}, "head": {"tname": "plan"}}
    page(there, type="cursor", cursor=cursor)
    until(lambda: here.carets, ada)
    assert here.carets[0]["user"] == {"name": "Bob", "color": bob.me.color}
    assert here.carets[0]["cursor"] == cursor
    page(there, type="cursor", cursor={"anchor": "x" * 2000})  # is no cursor
    page(there, type="cursor", cursor=None)
    until(lambda: not here.carets, ada)


def test_a_page_gets_a_token_only_where_that_is_safe(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    room = join("Ada")
    assert where(room) == {"path": "", "url": room.link, "token": ""}
    monkeypatch.setattr(room, "token", lambda: "mine")
    assert where(room)["token"] == "mine"
    monkeypatch.setenv("PARTYROOM_TOKEN", "mine")  # which is the kernel's own
    assert where(room) == {"path": f"parties/main/{room.name}", "url": "", "token": ""}
    monkeypatch.setattr(room, "token", lambda: lambda: "made anew")
    assert where(room) == {"path": "", "url": "", "token": ""}
    monkeypatch.setattr(room, "token", lambda: "other")
    monkeypatch.setattr(type(room), "link", property(lambda self: "http://far.example/parties/main/x"))
    assert where(room) == {"path": "", "url": "", "token": ""}


def test_a_page_that_cannot_reach_the_server_goes_through_the_kernel(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = join("Ada")
    text = ada.text("plan")
    told = sent(text, monkeypatch)
    page(text, type="open", socket="s1")
    until(lambda: any(one["type"] == "opened" for one in told), ada)
    page(text, type="frame", socket="s1", buffers=[memoryview(b"\x00\x00\x01\x00")])  # SyncStep1 of an empty document
    until(lambda: any(one["type"] == "frame" and one["buffers"][0][:2] == b"\x00\x01" for one in told), ada)
    page(text, type="close", socket="s1")
    page(text, type="frame", socket="s1", buffers=[memoryview(b"\x00")])
    assert text._tunnels._open == {}


def test_only_the_newest_tunnels_are_kept(join: Join) -> None:
    text = join("Ada").text("plan")
    sockets: list[SocketRoom] = []
    for number in range(10):
        page(text, type="open", socket=str(number))
        sockets.append(text._tunnels._open[str(number)])
    assert list(text._tunnels._open) == [str(number) for number in range(2, 10)]
    assert [one.closed for one in sockets[:3]] == [True, True, False]
    text.close()
    assert all(one.closed for one in sockets)


# -- progress and state ----------------------------------------------------------------------------------------------


def test_all_see_how_far_a_loop_is_and_how_it_ended(join: Join) -> None:
    ada, bob = join("Ada"), join("Bob")
    watching = bob.progress()
    for step in ada.progress(range(3), "training"):
        if step == 0:
            until(lambda: [one["how"] for one in watching.loops] == ["running"], bob)
    until(lambda: [(one["at"], one["total"], one["how"]) for one in watching.loops] == [(3, 3, "done")], bob)
    assert (watching.loops[0]["text"], watching.loops[0]["by"]) == ("training", "Ada")

    def stops() -> None:
        for _ in ada.progress(iter("ab"), "breaks"):
            raise KeyError

    with pytest.raises(KeyError):
        stops()
    until(lambda: {one["text"]: one["how"] for one in watching.loops}.get("breaks") == "failed", bob)


def test_state_is_a_dict_that_tells(join: Join) -> None:
    ada, bob = join("Ada"), join("Bob")
    steps: list[Any] = []
    changes: list[dict[str, Any]] = []
    bob.state.on("step", steps.append)
    bob.state.on_change(changes.append)
    ada.state["step"] = 1
    until(lambda: steps == [1], bob)
    ada.state["other"] = {"deep": [1]}
    del ada.state["step"]
    until(lambda: steps == [1, None], bob)
    assert {key: value for change in changes for key, value in change.items()} == {"step": None, "other": {"deep": [1]}}
    assert dict(bob.state) == {"other": {"deep": [1]}}


# -- all of them -----------------------------------------------------------------------------------------------------


def test_views_say_how_the_room_stands(join: Join) -> None:
    alone = join("Ada", url="http://127.0.0.1:1", wait=0.05)
    views = [alone.chat(), alone.poll("Q", ["a", "b"]), alone.table(DF), alone.board(), alone.text(), alone.progress()]
    assert {view.status for view in views} == {"connecting"}
    until(lambda: all("No server yet" in view.notice or alone._strip is None for view in views), alone)
    alone.close()
    assert {(view.status, view.notice) for view in views} == {("closed", "Left")}


def test_views_have_words_for_who_shows_no_widgets(join: Join) -> None:
    ada = join("Ada")
    for view, text in ((ada.chat(), "Chat"), (ada.text("plan"), "plan"), (ada.poll("Q?", ["a", "b"]), "Q?")):
        shown = view._repr_mimebundle_()[0]
        assert shown["text/plain"] == f"{text} (shared): run this cell to join in."
        assert shown["application/vnd.jupyter.widget-view+json"]["model_id"] == view.model_id


def test_what_a_page_says_wrongly_harms_nobody(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = join("Ada")
    views = [ada.chat(), ada.poll("Q", ["a", "b"]), ada.table(DF), ada.board(), ada.text("plan")]
    for view in views:
        sent(view, monkeypatch)
        wrong: list[Any] = [None, [], {}, {"type": None}, {"type": "__init__"}, {"type": "close", "socket": 1}]
        for content in wrong:
            view._heard(view, content, [])
        for kind in ("say", "typing", "vote", "edit", "place", "stroke", "draft", "undo", "cursor", "frame"):
            page(view, type=kind, row="x", column=[], option=[], points="x", cursor=3)
    assert ada.client.array("board.board").copy() == []
