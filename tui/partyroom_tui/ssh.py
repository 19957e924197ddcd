"""Rooms over SSH: ``ssh NAME+ROOM@host`` shows the app, with nothing to install but ``ssh``.

A key is who somebody is: any public key is taken, its fingerprint is the identity, from which comes the colour, and no
password or anything else opens the door. There is no shell behind it, no command, no forwarding and no file transfer:
a session is a terminal with the app in it, confined to the room that was asked for.

All sessions run in this process and event loop: a session costs one app and its sockets, not an interpreter. Textual
reads the environment and captures what is printed for one app a process; neither is of use here, so the app's driver
talks to the channel alone, and the process's own output is put back when sessions end (``_Output``).
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from collections import Counter
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, Final
from weakref import WeakSet
from zlib import crc32

import asyncssh
from textual import events, messages
from textual._xterm_parser import XTermParser
from textual.driver import Driver
from textual.geometry import Size

from .colours import PALETTE
from .join import JoinApp
from .places import Place

__all__ = ["Doors", "serve"]

log = logging.getLogger("partyroom.ssh")

SMALLEST: Final = Size(20, 6)
LARGEST: Final = Size(400, 150)
LONGEST: Final = 1 << 16
"""Characters that may wait to be read by one app; who sends more is let go."""
BEHIND: Final = 4 << 20
"""Bytes that may wait to be sent to one terminal; who reads no more is let go."""
TICK: Final = 0.05
"""Seconds after which an escape key is one, and not the beginning of a longer sequence."""
LOGIN: Final = 20
"""Seconds to show a key in."""
KEYLESS: Final = "A key says who you are here, any of yours: ssh-keygen -t ed25519 makes one. Then come again."
"""What somebody is told who shows none."""
SETTLED: Final = 2.0
"""Seconds after which those who came or went have done so."""
ALIVE: Final = 30
"""Seconds of silence after which a client is asked for a sign of life; three times, and it is let go."""


class ChannelDriver(Driver):
    """A Textual driver on an SSH channel. ``channel`` is set on a subclass for each session."""

    channel: asyncssh.SSHServerChannel[str]

    def __init__(
        self, app: Any, *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._parser = XTermParser()
        self._ticking: asyncio.TimerHandle | None = None

    @property
    def can_suspend(self) -> bool:
        """There is no shell to go back to."""
        return False

    def write(self, data: str) -> None:
        """Send it to the terminal, or let go of one that reads no more."""
        if self.channel.is_closing():
            return
        if self.channel.get_write_buffer_size() > BEHIND:
            self.channel.abort()
            return
        self.channel.write(data)

    def start_application_mode(self) -> None:
        """The other screen, the mouse, focus, pastes in one piece."""
        self.write("\x1b[?1049h\x1b[?1000h\x1b[?1003h\x1b[?1006h\x1b[?25l\x1b[?1004h\x1b[?2004h\x1b[?7l\x1b[?2026$p")
        self.resized(*(self._size or (80, 24)))

    def disable_input(self) -> None:
        """There is no thread to be stopped."""

    def stop_application_mode(self) -> None:
        """What was before."""
        if self._ticking is not None:
            self._ticking.cancel()
        self.write("\x1b[?2004l\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?7h\x1b[?25h\x1b[?1049l")

    def open_url(self, url: str, new_tab: bool = True) -> None:
        """The browser is not where this process is."""

    def resized(self, width: int, height: int) -> None:
        """The terminal has another size."""
        size = Size(
            min(max(width, SMALLEST.width), LARGEST.width),
            min(max(height, SMALLEST.height), LARGEST.height),
        )
        self._size = size.width, size.height
        self.send_message(events.Resize(size, size))

    def typed(self, data: str) -> None:
        """Something came from the terminal."""
        for message in self._parser.feed(data):
            self.process_message(message)
        if self._ticking is not None:
            self._ticking.cancel()
        self._ticking = self._loop.call_later(TICK, self._tick)

    def _tick(self) -> None:
        for message in self._parser.tick():
            self.process_message(message)


class Door(asyncssh.SSHServerSession[str]):
    """One session: a terminal with the app in it."""

    def __init__(self, doors: Doors, who: Guest) -> None:
        self._doors = doors
        self._who = who
        self._app: JoinApp | None = None
        self._early = ""

    def connection_made(self, chan: asyncssh.SSHServerChannel[str]) -> None:
        """asyncssh has a channel."""
        self._channel = chan

    def pty_requested(self, term_type: str, term_size: tuple[int, int, int, int], term_modes: Any) -> bool:
        """A terminal is what this is for."""
        return True

    def shell_requested(self) -> bool:
        """What a client asks for that was given no command; only to a terminal, for there is nothing else."""
        return self._channel.get_terminal_type() is not None

    def session_started(self) -> None:
        """Begin."""
        self._doors.run(self._run(), f"partyroom ssh session of {self._who.name}")

    async def _run(self) -> None:
        width, height, _, _ = self._channel.get_terminal_size()
        driver = type("SessionDriver", (ChannelDriver,), {"channel": self._channel})
        self._app = self._doors.app(self._who, driver)
        try:
            with self._doors.output:
                await self._app.run_async(size=(width or 80, height or 24))
        except Exception:
            log.exception("the session of %s in %s has failed", self._who.name, self._who.room)
        finally:
            if not self._channel.is_closing():
                self._channel.exit(0)

    @property
    def _driver(self) -> ChannelDriver | None:
        driver = None if self._app is None else self._app._driver
        return driver if isinstance(driver, ChannelDriver) else None

    def data_received(self, data: str, datatype: asyncssh.DataType) -> None:
        """Keys, the mouse, pastes."""
        if (driver := self._driver) is not None:
            driver.typed(self._early + data)
            self._early = ""
        elif len(self._early) + len(data) <= LONGEST:
            self._early += data
        else:
            self._channel.abort()

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        """The window has another size."""
        if (driver := self._driver) is not None:
            driver.resized(width, height)

    def break_received(self, msec: int) -> bool:
        """Nothing to be broken."""
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The terminal has gone: leave the room."""
        if self._app is not None and self._app.is_running:
            self._app.post_message(messages.ExitApp())


class Guest:
    """Who comes: the name and the room of ``NAME+ROOM``, and the key's fingerprint."""

    def __init__(self, username: str, fingerprint: str, room: str) -> None:
        name, plus, wanted = username.partition("+")
        self.name = "".join(char for char in name if char.isprintable())[:40] or "Guest"
        self.room = wanted if plus and wanted else room
        self.fingerprint = fingerprint
        self.color = PALETTE[crc32(fingerprint.encode()) % len(PALETTE)]


class Porter(asyncssh.SSHServer):
    """One connection: who is it, and may they have a session?"""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._fingerprint = ""
        self._address = ""
        self._counted = False
        self._in_session = self._told = False
        self._user = ""

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Somebody is at the door."""
        self._conn = conn
        self._address = str((conn.get_extra_info("peername") or ("",))[0])
        self._counted = self._doors.admit(self._address)
        if not self._counted:
            log.warning("ssh: no more sessions for %s", self._address)
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """They have gone."""
        if self._counted:
            self._doors.discharge(self._address)

    def begin_auth(self, username: str) -> bool:
        """A key is needed, whoever it is."""
        self._user = username
        return True

    def password_auth_supported(self) -> bool:
        """No passwords."""
        return False

    def kbdint_auth_supported(self) -> bool:
        """No questions: SSH asks them last, of whoever showed no key, which is where to say what is missing."""
        return True

    def get_kbdint_challenge(
        self, username: str, lang: str, submethods: str
    ) -> bool | tuple[str, str, str, list[tuple[str, bool]]]:
        """What to do, and nothing to answer (RFC 4256 section 3.2). OpenSSH asks three times, and is told once."""
        if self._told:
            return False
        self._told = True
        return "", KEYLESS, "en", []

    def validate_kbdint_response(self, username: str, responses: Sequence[str]) -> bool:
        """Nobody comes in so."""
        return False

    def public_key_auth_supported(self) -> bool:
        """Keys."""
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Any key will do: asyncssh asks for a signature with it before it lets anybody in."""
        self._user, self._fingerprint = username, key.get_fingerprint()
        return True

    def session_requested(self) -> Door | bool:
        """A session, one for each connection."""
        if self._in_session:
            return False
        self._in_session = True
        guest = Guest(self._user, self._fingerprint, self._doors.place.room)
        log.info("ssh: %s (%s) from %s comes into %s", guest.name, guest.fingerprint, self._address, guest.room)
        return Door(self._doors, guest)


class _Output:
    """The process's own output, which Textual takes while an app runs: out of order with several of them."""

    def __init__(self) -> None:
        self._apps = 0
        self._own = (sys.stdout, sys.stderr)

    def __enter__(self) -> None:
        if not self._apps:
            self._own = (sys.stdout, sys.stderr)
        self._apps += 1

    def __exit__(self, *error: object) -> None:
        self._apps -= 1
        if not self._apps:
            sys.stdout, sys.stderr = self._own


class Doors:
    """What all sessions share: where the rooms are, and how many may be here at once, in all and from one address."""

    def __init__(self, place: Place, *, most: int = 50, most_each: int = 20, hint: str = "") -> None:
        self.place = place
        self.output = _Output()
        self._most = most
        self._most_each = most_each
        self._hint = hint
        self._here: Counter[str] = Counter()
        self._running: set[asyncio.Task[None]] = set()
        self._apps: WeakSet[JoinApp] = WeakSet()
        self._settling: asyncio.TimerHandle | None = None

    def app(self, guest: Guest, driver: type[Driver]) -> JoinApp:
        """The app of a session."""
        place = Place(self.place.host, guest.room, self.place.party, self.place.token)
        app = JoinApp(place, name=guest.name, color=guest.color, confined=True, ssh=self._hint, driver_class=driver)
        self._apps.add(app)
        return app

    def run(self, session: Coroutine[Any, Any, None], name: str) -> None:
        """Run a session."""
        task = asyncio.create_task(session, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        self._unsettled()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._unsettled()

    def _unsettled(self) -> None:
        """A session's app stays as long as it does: with ten of them, each full collection took 250 ms to find that."""
        if self._settling is not None:
            self._settling.cancel()
        gc.unfreeze()
        self._settling = asyncio.get_running_loop().call_later(SETTLED, self._settle) if self._running else None

    def _settle(self) -> None:
        self._settling = None
        gc.collect()
        gc.freeze()

    async def close(self) -> None:
        """End all sessions, and wait until they have left their rooms."""
        for app in list(self._apps):
            app.post_message(messages.ExitApp())
        while self._running:
            await asyncio.wait(self._running)

    @property
    def here(self) -> int:
        """How many connections there are."""
        return self._here.total()

    def admit(self, address: str) -> bool:
        """Whether one more may come from there."""
        if self._here.total() >= self._most or self._here[address] >= self._most_each:
            return False
        self._here[address] += 1
        return True

    def discharge(self, address: str) -> None:
        """One of them has gone."""
        self._here[address] -= 1
        self._here += Counter()  # forgets those of whom none is here


def host_key(folder: Path) -> asyncssh.SSHKey:
    """The key by which clients know this host again: made at the first start, readable to its owner alone."""
    path = folder / "ssh_host_key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        key = asyncssh.generate_private_key("ssh-ed25519")
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(key.export_private_key())
    return asyncssh.read_private_key(path)


async def serve(doors: Doors, *, data: Path, host: str = "127.0.0.1", port: int = 2222) -> asyncssh.SSHAcceptor:
    """Listen; ``close`` what comes back to stop. Raises ``OSError`` where that is not possible."""
    return await asyncssh.create_server(
        lambda: Porter(doors),
        host,
        port,
        server_host_keys=[host_key(data)],
        login_timeout=LOGIN,
        keepalive_interval=ALIVE,
        allow_scp=False,
        sftp_factory=None,
        agent_forwarding=False,
        x11_forwarding=False,
        line_editor=False,
        encoding="utf-8",
        errors="replace",
        server_version="partyroom",
    )
