"""Callbacks are called in order, and one that fails disturbs nobody."""

from __future__ import annotations

import logging
from functools import partial

import pytest

from partyroom.client.callbacks import Callbacks


def test_they_are_called_in_the_order_in_which_they_came() -> None:
    called: list[str] = []
    callbacks = Callbacks[[]]("test")
    for name in "abc":
        callbacks.add(partial(called.append, name))
    callbacks()
    assert called == ["a", "b", "c"]


def test_one_that_raises_is_logged_and_the_others_are_called(caplog: pytest.LogCaptureFixture) -> None:
    called: list[int] = []

    def fails(value: int) -> None:
        raise RuntimeError("a mistake in it")

    callbacks = Callbacks[[int]]("on_something")
    callbacks.add(fails)
    callbacks.add(called.append)
    with caplog.at_level(logging.ERROR):
        callbacks(1)
    assert called == [1]
    assert "on_something" in caplog.text
    assert "a mistake in it" in caplog.text


def test_the_same_function_twice_is_two_callbacks_and_each_goes_alone() -> None:
    called: list[int] = []
    callbacks = Callbacks[[int]]("test")
    first, second = callbacks.add(called.append), callbacks.add(called.append)
    callbacks(1)
    first()
    first()  # no error, and not the other's
    callbacks(2)
    second()
    callbacks(3)
    assert called == [1, 1, 2]
    assert not callbacks


def test_one_may_take_itself_away_while_it_is_called() -> None:
    called: list[str] = []
    callbacks = Callbacks[[]]("test")

    def once() -> None:
        called.append("once")
        remove()

    remove = callbacks.add(once)
    callbacks.add(partial(called.append, "always"))
    callbacks()
    callbacks()
    assert called == ["once", "always", "always"]
