"""Waiting for what the network's thread brings: looked at after every change, with a deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable

from partyroom_widgets import Room

__all__ = ["until"]


def until(wanted: Callable[[], object], *rooms: Room, timeout: float = 10.0) -> None:
    """Wait until ``wanted()`` is true; looked at when something happens in the rooms, or soon after."""
    happened = threading.Event()
    removes = [
        add(lambda *_: happened.set())
        for room in rooms
        for add in (room.client.on_change, room.client.on_presence, room.client.on_status)
    ]
    waited = 0.0
    try:
        while not wanted():
            assert waited < timeout, "it did not happen"
            waited += 0 if happened.wait(0.02) else 0.02
            happened.clear()
    finally:
        for remove in removes:
            remove()
