"""Shared widgets: newcomers, drags, conflicts, echo, kinds, undo, glow, the end."""

from __future__ import annotations

import datetime
import logging
from typing import Any

import ipywidgets
import pytest
import traitlets

import partyroom

from .conftest import Join
from .waiting import until

FILE = {
    "name": "a.bin",
    "type": "application/octet-stream",
    "size": 2,
    "content": memoryview(b"\x00\xff"),
    "last_modified": datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC),
}


def slider(value: float = 0.0, **options: Any) -> ipywidgets.FloatSlider:
    return ipywidgets.FloatSlider(value=value, description="speed", **options)


class TestValues:
    def test_a_newcomer_gets_what_is_there_and_both_move_it(self, join: Join) -> None:
        ada, bob = join("Ada"), join("Bob")
        hers, his = slider(3), slider(7)
        ada.share(hers)
        until(lambda: dict(bob.client.map("widgets")) == {"speed": 3}, bob)
        bob.share(his)
        assert his.value == 3
        his.value = 5
        until(lambda: hers.value == 5, ada)
        hers.value = 8
        until(lambda: his.value == 8, bob)

    def test_a_script_without_widgets_sees_and_changes_the_same(self, join: Join) -> None:
        ada = join("Ada")
        hers, day = slider(3), ipywidgets.DatePicker(description="day")
        ada.share(hers)
        ada.share(day)
        with partyroom.connect(ada.link) as script:
            state = script.map("widgets")
            until(lambda: dict(state) == {"speed": 3, "day": None}, ada)
            hers.value = 4.5
            until(lambda: state["speed"] == 4.5, ada)
            state.update(speed=6, day="2024-05-01")
            until(lambda: hers.value == 6 and day.value == datetime.date(2024, 5, 1), ada)

    @pytest.mark.parametrize(
        ("make", "moved"),
        [
            (lambda: ipywidgets.Dropdown(options=["a", "b"], description="x"), {"value": "b"}),
            (
                lambda: ipywidgets.SelectMultiple(options=[("a", object()), ("b", 2)], description="x"),
                {"label": ("b",)},
            ),
            (lambda: ipywidgets.ToggleButton(description="x"), {"value": True}),
            (lambda: ipywidgets.IntRangeSlider(description="x"), {"value": (3, 4)}),
            (lambda: ipywidgets.ColorPicker(description="x"), {"value": "#ff0000"}),
            (lambda: ipywidgets.Text(description="x"), {"value": "<b>grüße 🎉</b>"}),
            (lambda: ipywidgets.FileUpload(description="x"), {"value": (FILE,)}),
        ],
        ids=lambda value: str(value)[:20],
    )
    def test_what_users_change_is_shared_by_default(self, join: Join, make: Any, moved: dict[str, Any]) -> None:
        ada, bob = join("Ada"), join("Bob")
        hers, his = make(), make()
        ada.share(hers)
        until(lambda: "x" in bob.client.map("widgets"), bob)
        bob.share(his)
        ((trait, value),) = moved.items()
        setattr(hers, trait, value)
        until(lambda: getattr(his, trait) == value, bob)

    def test_any_traits_of_any_object_can_be_named(self, join: Join) -> None:
        class Model(traitlets.HasTraits):
            rate = traitlets.Float(0.1)
            notes = traitlets.Dict()

        ada, bob = join("Ada"), join("Bob")
        hers, his = Model(), Model()
        ada.share(hers, "rate", "notes", key="model")
        until(lambda: len(bob.client.map("widgets")) == 2, bob)
        bob.share(his, "rate", "notes", key="model")
        hers.notes = {"layers": [(1, 2), {"at": datetime.time(9)}], "weights": b"\x00\xff"}
        his.rate = 0.5
        until(lambda: his.notes == hers.notes and hers.rate == 0.5, ada, bob)
        assert ada.client.map("widgets").keys() == {"model.rate", "model.notes"}

    def test_widgets_of_one_notebook_may_share_a_key(self, join: Join) -> None:
        ada = join("Ada")
        one, other = slider(1), slider(2)
        ada.share(one)
        ada.share(other)
        assert other.value == 1
        other.value = 5
        until(lambda: one.value == 5, ada)


class TestMoving:
    def test_a_drag_arrives_in_few_messages_and_its_last_value_always(self, join: Join) -> None:
        ada, bob = join("Ada"), join("Bob")
        hers, his = slider(max=1000), slider(max=1000)
        ada.share(hers)
        until(lambda: "speed" in bob.client.map("widgets"), bob)
        bob.share(his)
        messages: list[Any] = []
        bob.client.map("widgets").on_change(messages.append)
        for value in range(1, 1001):
            hers.value = value
        until(lambda: his.value == 1000, bob)
        assert 1 <= len(messages) < 100

    def test_a_widget_never_moves_under_its_users_hand_and_then_has_what_all_have(self, join: Join) -> None:
        ada, bob = join("Ada"), join("Bob")
        hers, his = slider(max=100), slider(max=100)
        ada.share(hers)
        until(lambda: "speed" in bob.client.map("widgets"), bob)
        bob.share(his)
        seen: list[tuple[float, float]] = []
        set_by_her = [0.0]
        hers.observe(lambda change: seen.append((change["new"], set_by_her[0])), names="value")
        for value in range(1, 40):
            set_by_her[0] = hers.value = value
            his.value = 100 - value
            until(lambda: True, ada)
        assert all(new == wanted for new, wanted in seen)
        until(lambda: not ada.me.moving and not bob.me.moving, ada, bob)
        until(lambda: hers.value == his.value == ada.client.map("widgets")["speed"], ada, bob)
        assert hers.value in (39, 61)

    def test_a_value_that_comes_back_is_not_sent_again(self, join: Join) -> None:
        """Not even where a widget makes something else of it."""
        ada, bob = join("Ada"), join("Bob")
        hers, his = slider(max=100), slider(max=10)
        ada.share(hers)
        until(lambda: "speed" in bob.client.map("widgets"), bob)
        bob.share(his)
        hers.value = 50
        until(lambda: his.value == 10, bob)
        until(lambda: not ada.me.moving, ada)
        assert (hers.value, bob.client.map("widgets")["speed"]) == (50, 50)

    def test_what_follows_from_a_move_is_shared_as_well_without_a_loop(self, join: Join) -> None:
        ada, bob = join("Ada"), join("Bob")
        pairs = []
        for room in (ada, bob):
            one, double = slider(), ipywidgets.FloatText(description="double")
            traitlets.link((one, "value"), (double, "value"), (lambda value: value * 2, lambda value: value / 2))
            pairs.append((one, double))
            for widget in (one, double):
                room.share(widget)
            until(lambda: "double" in bob.client.map("widgets"), bob)
        pairs[0][0].value = 4
        until(lambda: pairs[1][1].value == 8 and pairs[1][0].value == 4, bob)
        pairs[1][1].value = 6
        until(lambda: pairs[0][0].value == 3, ada)
        until(lambda: not ada.me.moving and not bob.me.moving, ada, bob)
        assert dict(ada.client.map("widgets")) == {"speed": 3, "double": 6}

    def test_the_others_see_who_moves_it(self, join: Join) -> None:
        ada, bob = join("Ada"), join("Bob")
        hers, his = slider(), slider()
        ada.share(hers)
        until(lambda: "speed" in bob.client.map("widgets"), bob)
        share = bob.share(his)
        tag = share.view.children[1]
        assert his.layout.border_left == "3px solid transparent"
        hers.value = 1
        until(lambda: share.movers, bob)
        until(lambda: his.layout.border_left == f"3px solid {ada.me.color}", bob)
        assert (tag.text, tag.color) == ("Ada", ada.me.color)
        assert hers.layout.border_left == "3px solid transparent"
        until(lambda: not share.movers, bob)
        until(lambda: his.layout.border_left == "3px solid transparent" and tag.text == "", bob)
        share.stop()
        assert his.layout.border_left is None

    def test_a_border_that_is_the_users_own_stays(self, join: Join) -> None:
        mine = slider(layout={"border": "1px solid red"})
        share = join("Ada").share(mine)
        assert mine.layout.border_left == "1px solid red"
        share.stop()
        assert mine.layout.border_left == "1px solid red"


class TestUndo:
    def test_undo_takes_back_a_whole_drag_and_redo_makes_it_again(self, join: Join) -> None:
        ada = join("Ada")
        hers = slider(3)
        share = ada.share(hers)
        until(lambda: "speed" in ada.client.map("widgets"), ada)
        for value in (4, 5, 6):
            hers.value = value
        assert share.undo()
        assert (hers.value, share.value) == (3, 3)
        assert not share.undo()
        assert share.redo()
        assert (hers.value, share.value) == (6, 6)
        until(lambda: ada.client.map("widgets")["speed"] == 6, ada)

    def test_what_others_did_since_is_never_taken_back(self, join: Join) -> None:
        ada, bob = join("Ada"), join("Bob")
        hers, his = slider(), slider()
        share = ada.share(hers)
        until(lambda: "speed" in bob.client.map("widgets"), bob)
        bob.share(his)
        hers.value = 1
        until(lambda: his.value == 1, bob)
        his.value = 2
        until(lambda: ada.client.map("widgets")["speed"] == 2, ada)
        until(lambda: hers.value == 2, ada)
        assert not share.undo()
        assert his.value == 2


class TestRefusals:
    def test_a_key_is_a_description_or_named(self, join: Join) -> None:
        ada = join("Ada")
        with pytest.raises(ValueError, match="key="):
            ada.share(ipywidgets.IntSlider())
        with pytest.raises(ValueError, match="1 to 200 characters"):
            ada.share(ipywidgets.IntSlider(), key="")
        with pytest.raises(ValueError, match="no trait 'valu'"):
            ada.share(slider(), "valu")
        with pytest.raises(ValueError, match="VBox has no value: name the traits"):
            ada.share(ipywidgets.VBox(), key="box")
        with pytest.raises(ValueError, match="'driver'"):
            ada.share(slider(), mode="everyone")  # type: ignore[arg-type]
        assert ada.shares == []

    def test_two_kinds_of_widgets_under_one_key_are_refused(self, join: Join) -> None:
        ada, bob = join("Ada"), join("Bob")
        ada.share(slider())
        until(lambda: "speed" in bob.client.map("widgets.kinds"), bob)
        with pytest.raises(TypeError, match=r"'speed' is a number in this room, and Text\.value is a text"):
            bob.share(ipywidgets.Text(description="speed"))
        assert bob.shares == []

    def test_a_value_that_cannot_be_shared_is_named_and_stays_here(
        self, join: Join, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Model(traitlets.HasTraits):
            value = traitlets.Any()

        ada = join("Ada")
        with pytest.raises(TypeError, match=r"Model\.value, shared as 'm': object cannot be shared"):
            ada.share(Model(value=object()), key="m")
        mine = Model(value=1)
        share = ada.share(mine, key="m")
        mine.value = {1, 2}
        assert "set cannot be shared" in share.problem
        assert (mine.value, share.value) == ({1, 2}, 1)
        mine.value = 2
        until(lambda: share.value == 2, ada)
        until(lambda: not share.problem, ada)

    def test_what_a_stranger_stores_that_is_no_value_of_the_widget_is_said(self, join: Join) -> None:
        ada = join("Ada")
        hers = slider(3)
        share = ada.share(hers)
        until(lambda: "speed" in ada.client.map("widgets"), ada)
        for stored in ("fast", {"$": "tuple", "v": 1}, [1], None):
            ada.client.map("widgets")["speed"] = stored
            until(lambda: "shared as 'speed'" in share.problem, ada)
            assert hers.value == 3
            ada.client.map("widgets")["speed"] = 3
            until(lambda: share.problem == "", ada)

    def test_a_callback_of_the_notebook_that_fails_hinders_nobody(
        self, join: Join, caplog: pytest.LogCaptureFixture
    ) -> None:
        ada = join("Ada")
        hers, other = slider(), ipywidgets.IntText(description="other")
        hers.observe(lambda change: 1 / 0, names="value")
        ada.share(hers)
        ada.share(other)
        until(lambda: len(ada.client.map("widgets")) == 2, ada)
        ada.client.map("widgets").update(speed=5, other=5)
        until(lambda: other.value == 5 and hers.value == 5, ada)
        until(lambda: "ZeroDivisionError" in caplog.text, ada)


class TestTheEnd:
    def test_what_is_stopped_stays_as_it_is_and_hears_nothing(self, join: Join) -> None:
        ada, bob = join("Ada"), join("Bob")
        hers, his = slider(), slider()
        share = ada.share(hers)
        until(lambda: "speed" in bob.client.map("widgets"), bob)
        bob.share(his)
        hers.value = 4
        share.stop()
        until(lambda: his.value == 4, bob)
        his.value = 5
        until(lambda: ada.client.map("widgets")["speed"] == 5, ada)
        hers.value = 6
        assert (hers.value, share.value, ada.shares) == (6, 5, [])

    def test_a_widget_that_is_closed_is_shared_no_more(self, join: Join) -> None:
        ada = join("Ada")
        hers = slider()
        ada.share(hers)
        hers.close()
        assert ada.shares == []

    def test_a_cell_that_is_run_again_shares_anew(self, join: Join) -> None:
        ada = join("Ada")
        hers = slider()
        first = ada.share(hers)
        second = ada.share(hers, mode="read-only")
        assert ada.shares == [second]
        assert (first.stopped, hers.disabled) == (True, True)
        ada.close()
        assert (ada.shares, hers.disabled, hers.layout.border_left) == ([], False, None)


class TestOffline:
    def test_without_a_server_it_is_the_notebooks_own(self, join: Join) -> None:
        ada = join("Ada", url="http://127.0.0.1:1", wait=0.01)
        hers = slider(3)
        share = ada.share(hers)
        hers.value = 4
        until(lambda: share.value == 4, ada)
        assert ada.notice.startswith("No server yet")

    def test_nobody_offers_a_value_before_he_knows_what_is_there(self, join: Join) -> None:
        ada = join("Ada")
        ada.share(slider(3))
        until(lambda: not ada.client.unsaved, ada)
        bob = join("Bob", wait=0)
        his = slider(7)
        bob.share(his)
        until(lambda: his.value == 3, bob)
        assert ada.client.map("widgets")["speed"] == 3


def test_forms_share_widgets_by_name(join: Join) -> None:
    ada, bob = join("Ada"), join("Bob")
    hers = ada.share_form(speed=ipywidgets.FloatSlider(), first_name=ipywidgets.Text())
    until(lambda: len(bob.client.map("widgets")) == 2, bob)
    his = bob.share_form(speed=ipywidgets.FloatSlider(), first_name=ipywidgets.Text())
    hers["first_name"].widget.value = "Ada"
    his["speed"].widget.value = 3
    until(lambda: hers.value == his.value == {"speed": 3, "first_name": "Ada"}, ada, bob)
    assert hers["first_name"].widget.description == "first name"
    assert len(hers.view.children) == len(hers) == 2
    assert "widget-view" in str(hers._repr_mimebundle_())
    with pytest.raises(TypeError, match="'speed' is a number"):
        bob.share_form(other=ipywidgets.Text(), speed=ipywidgets.Text())
    assert {share.key for share in bob.shares} == {"speed", "first_name"}
    hers.stop()
    assert ada.shares == []


def test_interact_has_knobs_that_all_share(join: Join) -> None:
    calls: list[tuple[str, int, str]] = []
    functions = []
    rooms = [join("Ada"), join("Bob")]
    for room in rooms:

        @room.interact(a=(0, 10), kind=["x", "y"], who=ipywidgets.fixed(room.me.name))
        def plot(a: int, kind: str, who: str) -> None:
            calls.append((who, a, kind))

        functions.append(plot)
        until(lambda: "plot/kind" in rooms[1].client.map("widgets"), rooms[1])
    knob = functions[0].widget.children[0]  # type: ignore[attr-defined]
    knob.value = 9
    until(lambda: ("Bob", 9, "x") in calls, rooms[1])
    functions[1].widget.children[1].value = "y"  # type: ignore[attr-defined]
    until(lambda: ("Ada", 9, "y") in calls, rooms[0])


def test_nothing_is_logged_in_all_this(join: Join, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    ada, bob = join("Ada"), join("Bob")
    hers, his = slider(), slider()
    for room, widget in ((ada, hers), (bob, his)):
        room.share(widget).view  # noqa: B018
        widget.value += 1
    until(lambda: hers.value == his.value, ada, bob)
    bob.close()
    ada.saved()
    assert caplog.records == []
