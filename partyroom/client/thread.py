"""The network thread: one event loop in a daemon thread, shared by all rooms that a script or a notebook opens.

A program without an event loop of its own, or whose loop is busy for minutes (a long cell), has its rooms there: they
answer pings, merge edits and reconnect all the while. It begins with the first room and ends with the program, which
does not wait for a server that hangs longer than ``GOODBYE`` seconds. After a fork the child has no such thread and
begins another with its first room; rooms of the parent cannot be used in it.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures.thread  # registers what ends its workers at exit; we register after it, to be called before
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol, TypeVar

from ..errors import CloseCode, ConnectionClosed

__all__ = ["GOODBYE", "Ends", "NetworkThread", "network"]

log = logging.getLogger("partyroom.client")

GOODBYE: Final = 2.0
"""How many seconds the end of a program waits for all its rooms together."""

Result = TypeVar("Result")


class Ends(Protocol):
    """A room, as the thread knows it."""

    early: bool
    """Whether closing it needs other threads (a file is written by them), which end before the program does."""

    def close(self) -> Coroutine[Any, Any, None]:
        """Close, in the network thread."""
        ...

    def held_here(self) -> bool:
        """Whether the thread that asks holds the room's lock."""
        ...


class NetworkThread:
    """Use ``network()`` to get the one there is."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.rooms: set[Ends] = set()
        """All that are open; written in the network thread only."""
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._live, name="partyroom network", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether anything can be done in it."""
        return self._pid == os.getpid() and self._thread.is_alive() and not self.loop.is_closed()

    @property
    def here(self) -> bool:
        """Whether the caller is in it."""
        return threading.get_ident() == self._thread.ident

    def check(self) -> None:
        """Raises ``RuntimeError`` in a child of the process that opened the room."""
        if self._pid != os.getpid():
            raise RuntimeError("this room was opened before the process forked: connect again in the child")

    def check_waiting(self) -> None:
        """Raises ``RuntimeError`` where waiting for the network would be for ever."""
        self.check()
        if self.here:
            raise RuntimeError(
                "this waits for the network, in a callback on the network's own thread: connect with post=..., or "
                "use what does not wait"
            )
        if any(room.held_here() for room in tuple(self.rooms)):
            raise RuntimeError(
                "this waits for the network, which waits for a room's lock: leave `with room.batch()` first"
            )

    def run(self, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Do ``work()`` in the network thread and wait for what comes of it.

        Raises ``RuntimeError`` where that would be for ever, and ``ConnectionClosed`` when the program ends meanwhile.
        An interrupt (Ctrl-C) cancels the work.
        """
        self.check_waiting()
        coroutine = work()
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        except RuntimeError:
            coroutine.close()
            raise ConnectionClosed(CloseCode.GOING_AWAY, "the program is ending") from None
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise ConnectionClosed(CloseCode.GOING_AWAY, "the program is ending") from None
        except BaseException:
            future.cancel()  # of use when it is we who are interrupted
            raise

    def call(self, function: Callable[[], Result]) -> Result:
        """Call ``function`` in the network thread and wait for what it returns; within it, just call it."""
        if self.here:
            return function()

        async def work() -> Result:
            return function()

        return self.run(work)

    def soon(self, function: Callable[[], object]) -> None:
        """Call ``function`` in the network thread, without waiting; not any more when that has ended."""
        if self.alive:
            try:
                self.loop.call_soon_threadsafe(function)
            except RuntimeError:  # it ended this instant
                log.debug("the network thread has ended")

    def close(self, *, early: bool = False) -> None:
        """Close the rooms, within ``GOODBYE`` seconds, and unless it is too ``early`` for some, end the thread."""
        if not self.alive or self.here:
            return
        rooms = [room for room in tuple(self.rooms) if room.early or not early]
        if rooms and not self._say_goodbye(rooms):
            log.warning("the network thread is busy with a callback: rooms are left without a goodbye")
        elif not early:
            self.soon(self.loop.stop)
            self._thread.join(GOODBYE)

    def _say_goodbye(self, rooms: list[Ends]) -> bool:
        """Close the rooms, as far as that is done in time; returns whether the thread was there to do it."""

        async def close_all() -> None:
            await asyncio.wait([asyncio.create_task(room.close()) for room in rooms], timeout=GOODBYE)

        try:
            asyncio.run_coroutine_threadsafe(close_all(), self.loop).result(GOODBYE + 0.5)
        except TimeoutError:
            return False
        return True

    def _live(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            left = asyncio.all_tasks(self.loop)
            for task in left:
                task.cancel()
            if left:
                self.loop.run_until_complete(asyncio.wait(left, timeout=GOODBYE / 4))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()


_lock = threading.Lock()
_current: NetworkThread | None = None
_left_behind: list[NetworkThread] = []
"""What a child has inherited and must not touch: its loop's selector is the parent's too."""


def network() -> NetworkThread:
    """The network thread of this process, begun if need be."""
    global _current
    with _lock:
        if _current is None or not _current.alive:
            _current = NetworkThread()
        return _current


def _forget() -> None:
    """In a child: its parent's thread is not here, and somebody may have held the lock."""
    global _current, _lock
    _lock = threading.Lock()
    if _current is not None:
        _left_behind.append(_current)
        _current = None


def _at_exit(early: bool = False) -> None:
    if _current is not None:
        _current.close(early=early)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
atexit.register(_at_exit)
# Files are written by worker threads, which are ended before atexit's functions are called; there is no public way to
# be called before that, and concurrent.futures takes this one.
getattr(threading, "_register_atexit", atexit.register)(_at_exit, True)
