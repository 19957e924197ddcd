"""Hocuspocus' dialect, for a client: the messages of ``protocols.yjs`` in the words of Hocuspocus 4, and back.

``protocols.hocuspocus`` has the words. What differs beside them:

- A token opens the document, and the answer says whether we may edit: that is ``yjs.Access``.
- Every edit is answered, and so is the SyncStep2 that follows our SyncStep1 (``MessageReceiver`` in the npm packages
  ``@hocuspocus/provider`` and ``server``). A question about what is stored, ``yjs.SyncStatus``, is not sent; it is
  answered here, when the answers have come to all edits before it. What an answer means is the server's to say:
  stored at a ``HocuspocusParty``; taken into the document, and stored some seconds later, at ``@hocuspocus/server``.
- The server may end the talk about a document and leave the socket open. We have one document on a socket, so that
  ends the connection.
- There is no lineage.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from ..errors import CloseCode, ConnectionClosed, Refused
from ..protocols import chunks, hocuspocus, yjs

__all__ = ["HocuspocusDialect"]


class HocuspocusDialect:
    """``document`` is the document's name. ``post`` sends a message, as it is; ``on_token_request`` is called when the
    server wants to see a token again."""

    impatient = True

    def __init__(self, document: str, post: Callable[[bytes], object], on_token_request: Callable[[], object]) -> None:
        self._document = document
        self._prefix = hocuspocus.address(document)
        self._post = post
        self._on_token_request = on_token_request
        self._begin()

    def _begin(self) -> None:
        self._sent = 0
        """How many messages went out that are answered..."""
        self._answered = 0
        """...and how many were."""
        self._counts_step2 = False
        self._questions: deque[tuple[int, bytes]] = deque()
        """What was asked after how many messages."""

    def opened(self, token: str) -> Iterable[bytes]:
        """Ask for the document."""
        self._begin()
        return (self.token(token),)

    def token(self, token: str) -> bytes:
        """The message that shows a token."""
        return self._prefix + hocuspocus.token(token, "")

    def closing(self) -> Iterable[bytes]:
        """End the talk about the document."""
        return (self._prefix + hocuspocus.close(),)

    # Out

    def write(self, message: str | bytes) -> Iterable[str | bytes]:
        """A message of ours in their words; none for what they do without."""
        if isinstance(message, str):
            text = chunks.parse_custom(message)
            return (self._prefix + hocuspocus.stateless(message if text is None else text),)
        match yjs.parse(message):
            case yjs.Lineage() | yjs.Access():
                return ()
            case yjs.SyncStatus(payload):
                self._questions.append((self._sent, payload))
                return ()
            case yjs.SyncStep1():
                self._counts_step2 = True
            case yjs.SyncStep2():
                self._sent += self._counts_step2
                self._counts_step2 = False
            case yjs.Update():
                self._sent += 1
        return (self._prefix + message,)

    # In

    def read(self, message: str | bytes) -> Iterator[str | bytes]:
        """Their message in our words. Raises as ``Dialect.read`` says."""
        if isinstance(message, str):
            return
        address, said = hocuspocus.parse(message)
        if isinstance(said, hocuspocus.Ping):
            self._post(hocuspocus.PONG)
        elif hocuspocus.document_name(address) == self._document:
            yield from self._read(said)

    def _read(self, said: hocuspocus.Message) -> Iterator[str | bytes]:
        match said:
            case yjs.SyncStep1(state_vector):
                yield yjs.sync_step1(state_vector)
            case yjs.SyncStep2(update):
                yield yjs.sync_step2(update)
            case yjs.Update(update):
                yield yjs.update(update)
            case yjs.Awareness(update):
                yield yjs.awareness(update)
            case yjs.QueryAwareness():
                yield yjs.query_awareness()
            case hocuspocus.Authenticated(write):
                yield yjs.access(write)
            case hocuspocus.SyncStatus(saved):
                self._answered += 1
                if not saved:
                    self._questions.clear()
                    yield yjs.permission_denied("the server has not taken an edit")
                yield from self.answers()
            case hocuspocus.Stateless(payload):
                yield chunks.custom(payload)
            case hocuspocus.TokenRequest():
                self._on_token_request()
            case hocuspocus.PermissionDenied(reason):
                raise Refused(403, reason or "permission denied")
            case hocuspocus.Close(reason):
                raise ConnectionClosed(CloseCode.NORMAL, reason or "the server closed the document")

    def answers(self) -> Iterator[bytes]:
        """The questions that are answered by now."""
        while self._questions and self._questions[0][0] <= self._answered:
            yield yjs.sync_status(self._questions.popleft()[1])
