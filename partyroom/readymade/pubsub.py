"""PubSub: topics. Whoever subscribes to one gets what anybody publishes in it, over WebSocket or HTTP.

The wire is that of ``partysub`` (threepointone/partyserver, ``packages/partysub``), whose client connects unchanged:

==========================================  ==============================================================
``?topics=news,weather:*`` when connecting  subscribes; without it a client gets every topic
``{"topic": "news", "data": ...}``          publishes; arrives as it was sent
``{"__topics": ["news"]}``                  subscribes anew, in place of what was subscribed before
``POST {"topic": "news", "data": ...}``     publishes over HTTP; answered ``OK``
==========================================  ==============================================================

``*`` is every topic, and ``weather:*`` is ``weather`` and all that begin with ``weather:``. A message reaches a client
once, however many of its subscriptions match.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ..connection import Connection
from ..errors import CloseCode, LimitError
from ..http import Request, Response
from ..party import MaybeAwaitable, Party, settled

__all__ = ["PubSub"]

EVERYTHING = "*"
TOPIC = 256
"""The most characters of a topic."""


class PubSub(Party):
    """A room of topics. Subclass it to say who may publish and subscribe to what.

    A subclass that overrides ``on_start``, ``on_connect``, ``on_message`` or ``on_close`` calls the base class's too.
    """

    hibernate = True

    def on_may_publish(self, topic: str, who: Connection | Request) -> MaybeAwaitable[bool]:
        """Whether somebody may publish in a topic; asked at each message."""
        return True

    def on_may_subscribe(self, topic: str, connection: Connection) -> MaybeAwaitable[bool]:
        """Whether a client may subscribe to a topic, or to all that a pattern matches; what it may not is left out."""
        return True

    def publish(self, topic: str, data: Any) -> int:
        """Send ``data`` (JSON) to all who subscribe to ``topic``; how many they were."""
        text = json.dumps({"topic": topic, "data": data}, ensure_ascii=False, allow_nan=False)
        reached: dict[Connection, None] = {}
        for subscription in _matching(topic):
            reached |= dict.fromkeys(self._subscribers.get(subscription, ()))
        for connection in reached:
            connection.send(text)
        return len(reached)

    def on_start(self) -> None:
        """Take up the subscriptions of those who were here before the room slept."""
        self._subscribers: dict[str, dict[Connection, None]] = {}
        for connection in self.room.connections():
            self._index(connection, connection.state or ())

    async def on_connect(self, connection: Connection) -> None:
        """Subscribe to what the address asks for."""
        asked = connection.request.query.get("topics")
        await self._subscribe(connection, [EVERYTHING] if asked is None else asked.split(","))

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        """Publish, or subscribe anew."""
        try:
            said = json.loads(message)
            if isinstance(said, dict) and "__topics" in said:
                await self._subscribe(connection, _topics(said["__topics"]))
                return
            topic, data = _message(said)
        except (ValueError, RecursionError) as error:
            connection.close(CloseCode.POLICY_VIOLATION, f"not a message of topics: {error}"[:120])
            return
        if await settled(self.on_may_publish(topic, connection)):
            self.publish(topic, data)

    def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
        """Forget the subscriptions of who has left."""
        self._drop(connection)

    async def on_request(self, request: Request) -> Response:
        """``POST`` publishes; ``GET`` tells how many subscribe to what."""
        if request.method == "GET":
            return Response.json({topic: len(here) for topic, here in self._subscribers.items()})
        if request.method != "POST":
            return Response("Publish with POST\n", 405, {"allow": "GET, POST"})
        try:
            topic, data = _message(request.json())
        except (ValueError, RecursionError) as error:
            return Response(f"Not a message of topics: {error}\n", 400)
        if not await settled(self.on_may_publish(topic, request)):
            return Response("You may not publish in this topic\n", 403)
        self.publish(topic, data)
        return Response("OK")

    async def _subscribe(self, connection: Connection, topics: Iterable[str]) -> None:
        wanted = list(dict.fromkeys(topic for topic in topics if 0 < len(topic) <= TOPIC))
        allowed = [topic for topic in wanted if await settled(self.on_may_subscribe(topic, connection))]
        try:
            connection.state = allowed  # which a sleeping room keeps
        except LimitError:
            connection.close(CloseCode.POLICY_VIOLATION, "too many topics for one connection: use a pattern")
            return
        self._drop(connection)
        self._index(connection, allowed)

    def _index(self, connection: Connection, topics: Iterable[str]) -> None:
        for topic in topics:
            self._subscribers.setdefault(topic, {})[connection] = None

    def _drop(self, connection: Connection) -> None:
        for topic in [topic for topic, here in self._subscribers.items() if connection in here]:
            del self._subscribers[topic][connection]
            if not self._subscribers[topic]:
                del self._subscribers[topic]


def _matching(topic: str) -> Iterable[str]:
    """Every subscription that a topic matches: itself, its patterns, and everything."""
    yield topic
    parts = topic.split(":")
    for count in range(1, len(parts) + 1):
        yield ":".join(parts[:count]) + ":*"
    yield EVERYTHING


def _topics(said: Any) -> list[str]:
    if not isinstance(said, list) or not all(isinstance(topic, str) for topic in said):
        raise ValueError("__topics is a list of texts")
    return said


def _message(said: Any) -> tuple[str, Any]:
    if not isinstance(said, dict) or not isinstance(said.get("topic"), str) or "data" not in said:
        raise ValueError('send {"topic": "news", "data": ...}')
    topic = said["topic"]
    if not 0 < len(topic) <= TOPIC or topic.endswith("*"):
        raise ValueError(f"a topic is a text of 1 to {TOPIC} characters that does not end with *")
    return topic, said["data"]
