"""Functions: clients call what a party offers, and get what it returns.

::

    class Sums(Functions):
        @function
        async def add(self, a: int, b: int) -> int:
            return a + b

    {"rpc": true, "channel": "any", "id": "1", "action": {"type": "add", "args": [1, 2]}}    is answered
    {"rpc": true, "channel": "any", "id": "1", "type": "success", "result": 3}               or
    {"rpc": true, "channel": "any", "id": "1", "type": "error", "error": ["why not"]}

The envelope is that of ``partyfn``'s ``RPCClient`` (threepointone/partyserver, ``packages/partyfn``), which leaves the
action to the application: here it names a function and its arguments, ``args`` in a list or by name in an object, or
anything else that ``on_call`` is overridden for. Over HTTP, ``POST`` of an action answers with the result as JSON.
"""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from ..connection import Connection
from ..errors import CloseCode, PartyroomError
from ..http import Request, Response
from ..party import MaybeAwaitable, Party, settled

__all__ = ["CallError", "Functions", "function"]

log = logging.getLogger("partyroom.readymade")

F = TypeVar("F", bound=Callable[..., Any])
MARK = "_partyroom_function"


class CallError(PartyroomError):
    """A function says no; its reason is for the caller. Whatever else a function raises the caller does not see."""


def function(method: F) -> F:
    """Offer a method to clients. Without this, none of a party's methods can be called."""
    setattr(method, MARK, True)
    return method


class Functions(Party):
    """A room whose ``@function`` methods clients may call. Calls of one client run one after the other."""

    def on_call(self, action: Any, caller: Connection | Request) -> MaybeAwaitable[Any]:
        """Do what a client asks, and return what it gets (JSON); raise ``CallError`` to say no."""
        if not isinstance(action, dict) or not isinstance(action.get("type"), str):
            raise CallError('an action names a function: {"type": "add", "args": [1, 2]}')
        method = getattr(type(self), action["type"], None)
        if not getattr(method, MARK, False):
            raise CallError(f"there is no function {action['type']!r} here")
        given = action.get("args", [])
        arguments, named = ((), given) if isinstance(given, dict) else (given, {})
        if not isinstance(arguments, (list, tuple)):
            raise CallError("args is a list, or an object of named arguments")
        bound = getattr(self, action["type"])
        try:
            inspect.signature(bound).bind(*arguments, **named)
        except TypeError as error:
            raise CallError(f"{action['type']}: {error}") from None
        return bound(*arguments, **named)

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        """A call; anything that is none is the client's mistake."""
        try:
            said = json.loads(message)
            call = {"rpc": True, "channel": said["channel"], "id": said["id"]}
            if said.get("rpc") is not True or not isinstance(said["id"], str) or not isinstance(said["channel"], str):
                raise ValueError
            action = said["action"]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            connection.close(CloseCode.POLICY_VIOLATION, 'call with {"rpc": true, "channel", "id", "action"}')
            return
        try:
            connection.send_json({**call, "type": "success", "result": await settled(self.on_call(action, connection))})
        except CallError as error:
            connection.send_json({**call, "type": "error", "error": [str(error)]})
        except Exception as error:
            connection.send_json({**call, "type": "error", "error": ["the server failed"]})
            log.error("%s: the call %.200r failed", self.room.address, action, exc_info=error)

    async def on_request(self, request: Request) -> Response:
        """``POST`` of an action answers with its result."""
        if request.method != "POST":
            return Response("Call with POST\n", 405, {"allow": "POST"})
        try:
            action = request.json()
        except (ValueError, RecursionError):
            return Response("The body is no JSON\n", 400)
        try:
            return Response.json(await settled(self.on_call(action, request)))
        except CallError as error:
            return Response(f"{error}\n", 400)
