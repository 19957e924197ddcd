"""Asking: requests and replies between the clients of a room, as JSON texts that the room passes on.

::

    {"partyroom":"ask","id":"...","name":"sum","value":[1,2]}
    {"partyroom":"answer","id":"...","value":3}
    {"partyroom":"answer","id":"...","error":"why there is no value"}

A room passes an ask on to everybody else, and adds ``"from"``: the connection that asked. Who serves the name copies
that into its answer as ``"to"``, and the room hands the answer to that connection alone. A plain relay adds nothing and
hands answers to all; only the asker knows what to do with the id.

``"partyroom"`` comes first and there is no space before the value, as ``JSON.stringify`` has it: that is how a room
tells these from other texts without reading them.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple, Never, TypeAlias

from ..errors import ProtocolError
from ..limits import KIB

__all__ = ["MOST_BYTES", "Answer", "Ask", "Envelope", "parse"]

MOST_BYTES: Final = 256 * KIB
"""The most that an ask or an answer may weigh in UTF-8."""

_MOST_READ: Final = MOST_BYTES + KIB  # with what rooms add
_BEGINNING: Final = '{"partyroom":"'
_MOST_ID, _MOST_NAME = 64, 256


class Ask(NamedTuple):
    """Somebody asks whoever serves ``name``; ``asker`` is the connection, where the room tells."""

    id: str
    name: str
    value: Any
    asker: str | None = None

    def text(self) -> str:
        """The message. Raises ``TypeError`` or ``ValueError`` for what JSON cannot say."""
        return _text({"partyroom": "ask", "id": self.id, "name": self.name, "value": self.value, "from": self.asker})


class Answer(NamedTuple):
    """The answer to the ask ``id``: a ``value``, or why there is none. It is for the connection ``asker``, if told."""

    id: str
    value: Any = None
    error: str | None = None
    asker: str | None = None

    def text(self) -> str:
        """The message; raises as ``Ask.text``."""
        outcome = {"value": self.value} if self.error is None else {"error": self.error}
        return _text({"partyroom": "answer", "id": self.id, **outcome, "to": self.asker})


Envelope: TypeAlias = Ask | Answer


def parse(text: str) -> Envelope | None:
    """The ask or answer in a text; ``None`` for all other texts. Raises ``ProtocolError`` where it is malformed."""
    if not text.startswith(_BEGINNING):
        return None
    if len(text) > _MOST_READ or len(text.encode(errors="replace")) > _MOST_READ:
        raise ProtocolError(f"an ask or answer of more than {MOST_BYTES} bytes")
    try:
        fields = json.loads(text, parse_constant=_not_json)
    except (ValueError, RecursionError):
        raise ProtocolError("an ask or answer that is not JSON") from None
    match fields:
        case {"partyroom": "ask", "id": str(id), "name": str(name)} if len(id) <= _MOST_ID and len(name) <= _MOST_NAME:
            return Ask(id, name, fields.get("value"), _optional(fields, "from"))
        case {"partyroom": "answer", "id": str(id)} if len(id) <= _MOST_ID:
            return Answer(id, fields.get("value"), _optional(fields, "error"), _optional(fields, "to"))
    raise ProtocolError("no ask, and no answer")


def _optional(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    raise ProtocolError(f"{name!r} of an ask or answer is a text")


def _not_json(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


def _text(fields: dict[str, Any]) -> str:
    told = {name: value for name, value in fields.items() if value is not None or name == "value"}
    text = json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can escape
        text = json.dumps(told, allow_nan=False, separators=(",", ":"))
    return text
