"""Guard: what Jupyter's authorizer grants holds in every party, whatever the party allows.

Whoever has ``read`` but not ``write`` sees documents and cannot change them, nor call their programs. Other rooms are
closed to them, as any message may change something; a party that thinks otherwise has ``open_to_readers = True``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from partyroom import Connection, DocumentParty, HocuspocusParty, Party, Request, Response
from partyroom.party import MaybeAwaitable

from .visit import Visit, may_write

__all__ = ["FORBIDDEN", "guarded"]

FORBIDDEN = Response("Forbidden: your permission on this server is to read\n", 403)

Noted = Callable[[], None]


def guarded(party: type[Party], noted: Noted) -> type[Party]:
    """``party`` as it is to be served in a Jupyter Server; ``noted`` is called when a person has done something: edited
    or, in rooms of other kinds, sent a message. Presence is not enough, which an idle window renews all the time."""

    def note(request: Request) -> None:
        if isinstance(request, Visit) and not request.by_kernel:
            noted()

    made = _document(party, note) if issubclass(party, DocumentParty) else _other(party, note)
    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(made, name, getattr(party, name))
    return made


def _document(party: type[DocumentParty], note: Callable[[Request], None]) -> type[Party]:
    # As documents.party has it: what is refused on connections is not let in over HTTP.
    only_connections = party.can_write is not DocumentParty.can_write
    asks_requests = party.may_write is not DocumentParty.may_write
    open_to_readers = getattr(party, "open_to_readers", False)

    class Guarded(party):  # type: ignore[valid-type, misc]  # a class that is made for each party
        def can_write(self, connection: Connection) -> bool:
            allowed: bool = may_write(connection.request) and super().can_write(connection)
            if allowed:
                note(connection.request)
            return allowed

        def may_write(self, request: Request) -> bool:
            allowed: bool = may_write(request) and (
                super().may_write(request) if asks_requests else not only_connections
            )
            if allowed:
                note(request)
            return allowed

        def on_custom_message(self, connection: Connection, message: str) -> MaybeAwaitable[None]:
            if open_to_readers or may_write(connection.request):
                answer: MaybeAwaitable[None] = super().on_custom_message(connection, message)
                return answer
            return None

    return Guarded


def _other(party: type[Party], note: Callable[[Request], None]) -> type[Party]:
    translates = issubclass(party, HocuspocusParty)  # into visits to documents, where the rules for those hold
    open_to_readers = translates or getattr(party, "open_to_readers", False)

    class Guarded(party):  # type: ignore[valid-type, misc]  # a class that is made for each party
        @classmethod
        def on_before_connect(cls, request: Request) -> MaybeAwaitable[Request | Response | None]:
            if not open_to_readers and not may_write(request):
                return FORBIDDEN
            answer: MaybeAwaitable[Any] = super().on_before_connect(request)
            return answer

        def on_message(self, connection: Connection, message: str | bytes) -> MaybeAwaitable[None]:
            if not translates:
                note(connection.request)
            answer: MaybeAwaitable[None] = super().on_message(connection, message)
            return answer

    return Guarded
