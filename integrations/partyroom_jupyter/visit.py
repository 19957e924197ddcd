"""Visit: a request that came in through Jupyter, and what its visitor may do.

It stays one whatever a party's before-hook puts in place of ``user``, so that nobody gains by that what Jupyter's
authorizer has not granted. Requests of other kinds are made by server code, which may do everything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, fields
from typing import Any, Self

from partyroom import Request

__all__ = ["Visit", "may_write"]


async def _nothing(action: str, resource: str) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit(Request):
    """A request, and with it the answers of Jupyter's authorizer."""

    may_write: bool = False
    """Whether the visitor may change what is in the rooms, rather than only read it."""
    by_kernel: bool = False
    """Whether a kernel of this server came, and not a person."""
    allows: Callable[[str, str], Awaitable[bool]] = field(default=_nothing, repr=False, compare=False)
    """Whether the authorizer grants the visitor an action on a resource: ``await visit.allows("read", "contents")``."""

    @classmethod
    def of(cls, request: Request, **more: Any) -> Self:
        """The same request with ``more``."""
        return cls(**{one.name: getattr(request, one.name) for one in fields(request)} | more)


def may_write(request: Request) -> bool:
    """Whether whoever makes this request may change things, as far as Jupyter is asked."""
    return not isinstance(request, Visit) or request.may_write
