"""Asking: one client of a room asks, and another that serves the name answers, through the room::

    asking = Asking(socket)                       # or a DocumentClient
    asking.serve("sum", sum)
    await asking.ask("sum", [1, 2], timeout=5)    # in another client: 3

Nobody keeps a list of who serves what, so an ask goes to everybody in the room, and what was not answered in time was
answered by nobody. Where several serve a name, the first answer counts. A client does not answer itself.

The room has to pass these messages on: the ready-made ``relay`` does, and ``main`` for documents; for a party of one's
own, ``protocols.asking`` has the messages. Values are JSON. Whoever is in the room can read and answer what is asked.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable
from uuid import uuid4

from ..clock import Clock, LoopClock
from ..errors import ConnectionClosed, PartyroomError, ProtocolError, QueueFull
from ..protocols.asking import MOST_BYTES, Answer, Ask, parse
from .waiting import deadline

__all__ = ["AskFailed", "Asking", "Handler", "NobodyAnswered", "SpeaksInDocument", "SpeaksOnSocket"]

log = logging.getLogger("partyroom.client")

Handler: TypeAlias = Callable[[Any], Any | Awaitable[Any]]
"""Takes the value that was asked and returns the answer, or an awaitable of it."""

MOST_RUNNING: Final = 100
"""Asks that one client answers at the same time; further ones are told that it is busy."""
LONGEST_ERROR: Final = 1000
"""The most characters of an error that an asker is told."""


class AskFailed(PartyroomError):
    """Who serves the name could not answer; the text is its error's."""


class NobodyAnswered(PartyroomError, TimeoutError):
    """No answer came in time: nobody in the room serves the name, or it takes longer."""


class SpeaksOnSocket(Protocol):
    """What is needed of a ``PartySocket``."""

    def post(self, message: str | bytes) -> None:
        """Send a message, without waiting."""

    def on_message(self, callback: Callable[[str | bytes], object]) -> Callable[[], None]:
        """Call ``callback`` with every message."""


@runtime_checkable
class SpeaksInDocument(Protocol):
    """What is needed of a ``DocumentClient``."""

    def send_custom_message(self, text: str) -> None:
        """Send a text beside the document."""

    def on_custom_message(self, callback: Callable[[str], object]) -> Callable[[], None]:
        """Call ``callback`` with every text beside the document."""


class Asking:
    """Asks and answers over one client. It lives in the event loop of that client; ``close`` it before."""

    def __init__(self, client: SpeaksOnSocket | SpeaksInDocument, *, clock: Clock | None = None) -> None:
        self._send: Callable[[str], None]
        if isinstance(client, SpeaksInDocument):
            self._send = client.send_custom_message
            self._stop_hearing = client.on_custom_message(self._hear)
        else:
            self._send = client.post
            self._stop_hearing = client.on_message(self._hear)
        self._clock = clock or LoopClock()
        self._asked: dict[str, asyncio.Future[Any]] = {}
        self._handlers: dict[str, Handler] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._closed = False

    async def ask(self, name: str, value: Any = None, *, timeout: float = 5.0) -> Any:
        """The answer of somebody else in the room who serves ``name``.

        Raises ``NobodyAnswered`` after ``timeout`` seconds, ``AskFailed`` with the words of a handler that raised,
        ``TypeError`` or ``ValueError`` for what JSON cannot say or what is too large, and ``ConnectionClosed`` or
        ``QueueFull`` where it cannot be sent.
        """
        if self._closed:
            raise ConnectionClosed(reason="this client does not ask any more")
        question = Ask(uuid4().hex, name, value)
        answer = self._asked[question.id] = asyncio.get_running_loop().create_future()
        try:
            self._send(_bounded(question.text()))
            async with deadline(self._clock, timeout):
                return await answer
        except TimeoutError:
            raise NobodyAnswered(f"nobody has answered {name!r} within {timeout:g} s: does anybody serve it?") from None
        finally:
            del self._asked[question.id]

    def serve(self, name: str, handler: Handler) -> Callable[[], None]:
        """Answer what others ask under ``name`` with ``handler(value)``, a function or an ``async`` one.

        What it raises goes to the asker as its text, without a traceback, and into the log here. Returns a function
        that ends it. Raises ``ValueError`` where the name is served by this client already.
        """
        if name in self._handlers:
            raise ValueError(f"{name!r} is served by this client already")
        self._handlers[name] = handler

        def stop() -> None:
            if self._handlers.get(name) is handler:
                del self._handlers[name]

        return stop

    async def close(self) -> None:
        """Stop serving, and give up what is being asked: that raises ``ConnectionClosed``."""
        self._closed = True
        self._stop_hearing()
        self._handlers.clear()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(ConnectionClosed(reason="this client does not ask any more"))
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    # -- what the room passes on -------------------------------------------------------------------------------------

    def _hear(self, message: str | bytes) -> None:
        try:
            envelope = parse(message) if isinstance(message, str) else None
        except ProtocolError as error:
            log.warning("somebody in the room sends what is no ask: %s", error)
            return
        match envelope:
            case Answer():
                self._take(envelope)
            case Ask() if (handler := self._handlers.get(envelope.name)) is not None:
                if len(self._running) >= MOST_RUNNING:
                    self._say(Answer(envelope.id, error="too many are asking; try again", asker=envelope.asker))
                    return
                task = asyncio.create_task(self._answer(envelope, handler))
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    def _take(self, answer: Answer) -> None:
        waiting = self._asked.get(answer.id)
        if waiting is None or waiting.done():
            return
        if answer.error is None:
            waiting.set_result(answer.value)
        else:
            waiting.set_exception(AskFailed(answer.error))

    async def _answer(self, question: Ask, handler: Handler) -> None:
        try:
            value = handler(question.value)
            if inspect.isawaitable(value):
                value = await value
            answer = Answer(question.id, value, asker=question.asker)
            _bounded(answer.text())
        except Exception as error:
            log.warning("what serves %r failed", question.name, exc_info=True)
            said = (str(error) or type(error).__name__)[:LONGEST_ERROR]
            answer = Answer(question.id, error=said, asker=question.asker)
        self._say(answer)

    def _say(self, answer: Answer) -> None:
        try:
            self._send(answer.text())
        except (ConnectionClosed, QueueFull) as error:
            log.warning("an answer could not be sent: %s", error)


def _bounded(text: str) -> str:
    if (size := len(text.encode())) > MOST_BYTES:
        raise ValueError(f"{size} bytes as JSON; asks and answers have at most {MOST_BYTES}")
    return text
