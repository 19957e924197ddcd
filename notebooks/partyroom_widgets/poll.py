"""poll: a question with live bars. One vote a person, which they may change or take back.

The votes are a map in the room's document, from voter to answer. A voter is a hash of a computer account and the name
that its user has in the room: a kernel that starts again has the same. It is no ballot box: who may write in the room
can write other people's votes as well.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import traitlets

from .view import Refused, View, sources

if TYPE_CHECKING:
    from .room import Room

__all__ = ["PollView"]

POLLS: Final = "polls"
"""The map of the document with the answers that each question has."""
MOST_OPTIONS: Final = 20
LONGEST: Final = 200
_SOURCES = sources("poll")


class PollView(View):
    """A question, its answers, and how many people have chosen each."""

    _esm = _SOURCES["js"]
    _css = _SOURCES["css"]

    options: traitlets.List[str] = traitlets.List().tag(sync=True)
    counts: traitlets.List[int] = traitlets.List().tag(sync=True)
    mine = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    """The answer that you have chosen."""

    def __init__(self, room: Room, question: str, options: Sequence[str] = ()) -> None:
        self._polls = room.client.map(POLLS)
        self._votes = room.client.map(f"poll.{question}")
        self.question = question
        if not question or len(question) > LONGEST:
            raise ValueError(f"a question has 1 to {LONGEST} characters")
        if options:
            self._polls.setdefault(question, _checked(options))
        elif not _options(self._polls.get(question)):
            raise ValueError(f"nobody has put the question {question!r} in this room: give its options")
        super().__init__(room, label=question)
        self.watch(self._votes.on_change(lambda change: self._show()))
        self.watch(self._polls.on_change(lambda change: self._show()))
        self.watch(room.client.on_presence(lambda *clients: self._show()))
        self._show()

    @property
    def results(self) -> dict[str, int]:
        """How many have chosen each of the answers."""
        given = list(self._votes.values())
        return {option: given.count(option) for option in _options(self._polls.get(self.question))}

    def vote(self, option: str | None) -> None:
        """Choose an answer, or take your vote back. Raises ``ValueError`` for what is none of the answers."""
        options = _options(self._polls.get(self.question))
        if option is not None and option not in options:
            raise ValueError(f"{option!r} is none of the answers: {', '.join(options)}")
        if option is None:
            self._votes.pop(self._voter, None)
        else:
            self._votes[self._voter] = option

    def reset(self) -> None:
        """Take all votes back."""
        self._votes.clear()

    def on_change(self, callback: Callable[[dict[str, int]], object]) -> Callable[[], None]:
        """Call ``callback(results)`` in the kernel's thread after votes. Returns a function that ends it."""
        turns = self._room.turns
        return self._votes.on_change(lambda change: turns.post(lambda: callback(self.results)))

    @property
    def _voter(self) -> str:
        return hashlib.sha256(f"{_account()}\n{self._room.me.name}".encode()).hexdigest()[:16]

    def _show(self) -> None:
        results = self.results
        with self.hold_sync():
            self.options, self.counts = list(results), list(results.values())
            mine = self._votes.get(self._voter)
            self.mine = mine if mine in results else None

    def heard_vote(self, content: Any, buffers: Sequence[memoryview]) -> None:
        """The page's user has chosen."""
        if self._room.client.read_only:
            raise Refused("You may only look at this room.")
        try:
            self.vote(content.get("option"))
        except ValueError:
            raise Refused("That is none of the answers.") from None


def _checked(options: Sequence[str]) -> list[str]:
    """The answers of a new question. Raises ``ValueError``."""
    kept = [str(option) for option in options]
    if not 2 <= len(kept) <= MOST_OPTIONS or len(set(kept)) < len(kept):
        raise ValueError(f"a poll has 2 to {MOST_OPTIONS} different answers")
    if not all(0 < len(option) <= LONGEST for option in kept):
        raise ValueError(f"an answer has 1 to {LONGEST} characters")
    return kept


def _options(stored: object) -> list[str]:
    """The answers as the document has them; strangers wrote that."""
    found = [one for one in stored if isinstance(one, str)] if isinstance(stored, list) else []
    return list(dict.fromkeys(found))[:MOST_OPTIONS]


def _account() -> str:
    """Whose computer account this is: the same after a restart."""
    hub = os.environ.get("JUPYTERHUB_USER")
    if hub:
        return hub
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):  # a container whose user has no name
        return socket.gethostname()
