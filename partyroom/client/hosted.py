"""Hosted: what of a room lives in the network thread, whether or not its program still looks at it."""

from __future__ import annotations

import asyncio
import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import CloseCode, ConnectionClosed, ProtocolError
from ..protocols import asking
from .asking import Asking
from .callbacks import Callbacks
from .mail import OVERHEAD, Inbox
from .mailbox import Mailbox
from .socket import PartySocket
from .thread import NetworkThread
from .waiting import Changes

if TYPE_CHECKING:
    from .document import DocumentClient

__all__ = ["Hosted", "HostedDocument", "HostedSocket", "Post"]

log = logging.getLogger("partyroom.client")

Post: TypeAlias = Callable[[Callable[[], object]], object]
"""Has a function called where a program wants its callbacks: ``loop.call_soon_threadsafe``, ``queue.put``."""


class Hosted(ABC):
    """All methods but ``post`` and ``held_here`` are called in the network thread."""

    early = False
    """Whether closing it needs other threads; see ``thread.Ends``."""

    def __init__(self, network: NetworkThread, post: Post) -> None:
        self.network = network
        self.mailbox = Mailbox(network.loop)
        self.listeners = Callbacks[[str | bytes]]("on_message")
        self.closing = False
        self.face: object = None
        """The room as its program has it, kept from being collected while it has callbacks."""
        self._user_post = post
        self._asking: Asking | None = None
        network.rooms.add(self)

    @property
    @abstractmethod
    def asking(self) -> Asking:
        """Asks and answers over this room."""

    @abstractmethod
    async def hang_up(self, code: int, reason: str) -> None:
        """Close the client."""

    def held_here(self) -> bool:
        """Whether the thread that asks holds the document's lock."""
        return False

    def post(self, callback: Callable[[], object]) -> bool:
        """Have ``callback`` called where callbacks are; returns whether it will be. What goes wrong is logged."""
        try:
            self._user_post(partial(_guarded, callback))
        except Exception:  # a loop that is closed, for one
            log.warning("a callback could not be posted", exc_info=True)
            return False
        return True

    def listen(self, callback: Callable[[str | bytes], object]) -> Callable[[], None]:
        """Have ``callback`` called with every message from now on, and before that with those that wait."""
        remove = self.listeners.add(partial(self.tell, callback))
        while (message := self.mailbox.drop()) is not None:
            self.listeners(message)
        return remove

    def tell(self, callback: Callable[[str | bytes], object], message: str | bytes) -> None:
        """Have ``callback`` called with ``message``."""
        self.post(partial(callback, message))

    def serve(self, name: str, handler: Callable[[Any], Any]) -> Callable[[], None]:
        """Answer asks with what ``handler`` returns, called where callbacks are."""

        async def handle(value: Any) -> Any:
            answer = self.network.loop.create_future()
            if not self.post(partial(_answer, answer, handler, value)):
                raise RuntimeError("whoever serves this has ended")
            result = await answer
            return await result if inspect.isawaitable(result) else result

        return self.asking.serve(name, handle)

    async def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Close, once and for all."""
        self.closing = True
        try:
            if self._asking is not None:
                await self._asking.close()
            await self.hang_up(code, reason)
        finally:
            self.mailbox.end(ConnectionClosed(code, reason))
            self.network.rooms.discard(self)
            self.face = None


class HostedSocket(Hosted):
    """A socket. What it brings is taken from the network no faster than the program takes it from here."""

    def __init__(self, network: NetworkThread, post: Post, socket: PartySocket) -> None:
        super().__init__(network, post)
        self.socket = socket
        self._ears = Callbacks[[str | bytes]]("asks")
        self._posted = 0
        self._called = Changes()
        self._pump = network.loop.create_task(self._carry())

    @property
    def asking(self) -> Asking:
        """Asks and answers over this room."""
        if self._asking is None:
            self._asking = Asking(_Mouth(self.socket, self._ears))
        return self._asking

    async def hang_up(self, code: int, reason: str) -> None:
        """Close the socket."""
        await self.socket.close(code, reason)
        self._pump.cancel()
        await asyncio.wait([self._pump])

    async def _carry(self) -> None:
        try:
            while True:
                message = await self.socket.receive()
                self._ears(message)
                if not _is_ask(message):
                    await self._deliver(message)
        except ConnectionClosed as ended:
            self.mailbox.end(ended)

    async def _deliver(self, message: str | bytes) -> None:
        await self.mailbox.emptied.until(lambda: self.listeners or not self.mailbox.full)
        if not self.listeners:
            self.mailbox.put(message)
            return
        self.listeners(message)
        await self._called.until(lambda: self._posted < Inbox.LIMIT)

    def tell(self, callback: Callable[[str | bytes], object], message: str | bytes) -> None:
        """Have ``callback`` called with ``message``, which counts as not taken until then."""
        size = len(message) + OVERHEAD

        def called() -> None:
            self._posted -= size
            self._called()

        def call() -> None:
            try:
                callback(message)
            finally:
                self.network.soon(called)

        self._posted += size
        if not self.post(call):
            called()


class _Mouth:
    """What ``Asking`` speaks through and hears by, beside whoever reads the messages."""

    def __init__(self, socket: PartySocket, ears: Callbacks[[str | bytes]]) -> None:
        self.post = socket.post
        self.on_message = ears.add


class HostedDocument(Hosted):
    """A document; its messages are the texts that go beside it."""

    def __init__(self, network: NetworkThread, post: Post, client: DocumentClient, early: bool) -> None:
        super().__init__(network, post)
        self.early = early
        self.client = client
        client.on_custom_message(self._heard)

    @property
    def asking(self) -> Asking:
        """Asks and answers over this room."""
        if self._asking is None:
            self._asking = Asking(self.client)
        return self._asking

    def held_here(self) -> bool:
        """Whether the thread that asks holds the document's lock."""
        return bool(getattr(self.client.lock, "_is_owned")())  # noqa: B009  # threading.Condition asks it, too

    async def hang_up(self, code: int, reason: str) -> None:
        """Close the document."""
        await self.client.close(code, reason)

    def _heard(self, text: str) -> None:
        """Keep a text, or tell of it. A document waits for nobody, so of too many the oldest are dropped."""
        if _is_ask(text):
            return
        if self.listeners:
            self.listeners(text)
            return
        if self.mailbox.full:
            self.mailbox.drop()
            log.warning("nobody receives the texts of %s: the oldest is dropped", self.client.socket.url)
        self.mailbox.put(text)


def _is_ask(message: str | bytes) -> bool:
    """Whether a message is one of ``Asking``'s, or tries to be."""
    try:
        return isinstance(message, str) and asking.parse(message) is not None
    except ProtocolError:
        return True


def _guarded(callback: Callable[[], object]) -> None:
    """Call a callback; it costs nobody else anything."""
    try:
        callback()
    except Exception:
        log.exception("a callback failed")


def _answer(answer: asyncio.Future[Any], handler: Callable[[Any], Any], value: Any) -> None:
    """Call a handler, wherever this is, and bring what it says back to the loop of ``answer``."""

    def bring(settle: Callable[[Any], None], outcome: Any) -> None:
        if not answer.done():
            settle(outcome)

    try:
        outcome, settle = handler(value), answer.set_result
    except Exception as error:
        outcome, settle = error, answer.set_exception
    answer.get_loop().call_soon_threadsafe(bring, settle, outcome)
