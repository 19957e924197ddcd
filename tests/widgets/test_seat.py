"""Who may move a shared widget: one who drives, those who follow, those who only look."""

from __future__ import annotations

import ipywidgets
import pytest
from partyroom_widgets import Room, Share

from .conftest import Join
from .waiting import until


def shared(room: Room, mode: str = "driver", value: int = 0) -> tuple[ipywidgets.IntSlider, Share]:
    widget = ipywidgets.IntSlider(value=value, description="speed")
    return widget, room.share(widget, mode=mode)  # type: ignore[arg-type]


def two(join: Join) -> tuple[Room, Room]:
    ada, bob = join("Ada"), join("Bob")
    until(lambda: len(ada.people) == len(bob.people) == 2, ada, bob)
    return ada, bob


def names(share: Share) -> list[str]:
    return [person.name for person in share.requests]


def test_whoever_moves_it_first_drives_and_the_others_cannot(join: Join) -> None:
    ada, bob = two(join)
    hers, her_share = shared(ada, value=3)
    until(lambda: "speed" in bob.client.map("widgets"), bob)
    his, his_share = shared(bob)
    assert (his.value, his.disabled, his_share.driver) == (3, False, None)
    hers.value = 4
    until(lambda: his.value == 4 and his.disabled, bob)
    assert her_share.driver is not None
    assert her_share.driver.me
    assert his_share.driver is not None
    assert his_share.driver.name == "Ada"
    his.value = 9  # by a cell of his
    until(lambda: his.value == 4, bob)
    assert bob.client.map("widgets")["speed"] == 4
    assert not his_share.undo()


def test_the_seat_is_asked_for_and_given(join: Join) -> None:
    ada, bob = two(join)
    hers, her_share = shared(ada)
    assert her_share.take()
    until(lambda: "speed" in bob.client.map("widgets.drivers"), bob)
    his, his_share = shared(bob)
    assert his.disabled
    with pytest.raises(PermissionError, match="you do not drive"):
        his_share.give("Bob")
    assert not his_share.take()
    until(lambda: names(her_share) == ["Bob"], ada)
    with pytest.raises(LookupError, match="nobody is called 'Eve'"):
        her_share.give("Eve")
    her_share.give("Bob")
    until(lambda: not his.disabled, bob)
    assert his_share.take()
    until(lambda: names(her_share) == [] and hers.disabled, ada)
    his.value = 7
    until(lambda: hers.value == 7, ada)
    assert her_share.take(force=True)
    until(lambda: his.disabled, bob)
    her_share.give(None)
    until(lambda: his_share.driver is None and not his.disabled, bob)


def test_who_leaves_leaves_the_seat(join: Join) -> None:
    ada, bob = two(join)
    hers, _ = shared(ada)
    hers.value = 2
    until(lambda: "speed" in bob.client.map("widgets.drivers"), bob)
    his, share = shared(bob)
    until(lambda: his.disabled, bob)
    ada.close()
    until(lambda: not his.disabled, bob)
    his.value = 5
    assert share.driver is not None
    assert share.driver.me


def test_the_tag_says_who_drives_and_its_button_hands_over(join: Join) -> None:
    ada, bob = two(join)
    _, her_share = shared(ada)
    tags = {"Ada": her_share.view.children[1]}
    until(lambda: "speed" in bob.client.map("widgets"), bob)
    _, his_share = shared(bob)
    tags["Bob"] = his_share.view.children[1]

    def press(name: str) -> None:
        tags[name]._handle_custom_msg({"pressed": True}, [])

    def says(name: str, text: str, button: str) -> None:
        until(lambda: (tags[name].text, tags[name].button) == (text, button), ada, bob)

    says("Ada", "Nobody drives: move it", "Drive")
    press("Ada")
    says("Ada", "You drive", "Let go")
    says("Bob", "Ada drives", "Ask")
    press("Bob")
    says("Bob", "Ada drives", "Asked")
    says("Ada", "Bob would like to drive", "Give to Bob")
    press("Ada")
    says("Bob", "You drive", "Let go")
    press("Bob")
    says("Bob", "Nobody drives: move it", "Drive")
    his_share.stop()
    says("Bob", "Not shared any more", "")
    press("Bob")


def test_who_follows_may_move_it_for_himself(join: Join) -> None:
    ada, bob = two(join)
    hers, _ = shared(ada, "all", 3)
    until(lambda: "speed" in bob.client.map("widgets"), bob)
    his, share = shared(bob, "follow")
    his.value = 9
    assert (share.value, his.disabled) == (3, False)
    share.follow()
    assert his.value == 3
    his.value = 9
    hers.value = 4
    until(lambda: his.value == 4, bob)
    assert hers.value == 4
    with pytest.raises(RuntimeError, match="mode='driver'"):
        share.take()


def test_who_only_looks_cannot_move_it(join: Join) -> None:
    ada, bob = two(join)
    mine, _ = shared(bob, "read-only", 5)
    until(lambda: bob.client.status == "synced", bob)
    hers, _ = shared(ada, "all", 3)
    until(lambda: mine.value == 3, bob)
    assert mine.disabled
    mine.value = 8
    until(lambda: mine.value == 3, bob)
    assert hers.value == 3
