"""Parties that are ready: ``partyroom serve tests/interop/ready_parties.py``."""

from __future__ import annotations

from partyroom import Connection, Request
from partyroom.readymade import CallError, Functions, PubSub, function


class News(PubSub):
    """Topics, of which what staff says is staff's."""

    def on_may_publish(self, topic: str, who: Connection | Request) -> bool:
        request = who.request if isinstance(who, Connection) else who
        return not topic.startswith("staff:") or request.query.get("key") == "staff"


class Sums(Functions):
    """Divides."""

    @function
    def divide(self, a: float, b: float) -> float:
        if b == 0:
            raise CallError("by what?")
        return a / b
