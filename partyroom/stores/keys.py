"""What may be stored under which name, and which keys a ``Range`` spans: what all stores share of the contract."""

from __future__ import annotations

from math import isfinite
from typing import Final, NamedTuple

from ..errors import LimitError
from ..http import Address
from .base import KEEP, Batch, Range

__all__ = ["EVERYTHING", "Span", "check_fence", "check_text", "checked", "span"]

EVERYTHING: Final = Range()
"""Every key of a room."""

_LAST = "\U0010ffff"
_BEFORE_SURROGATES = "\ud7ff"
_AFTER_SURROGATES = "\ue000"
_MAX_FENCE = 2**63 - 1


class Span(NamedTuple):
    """The keys from ``low`` (inclusive) to ``high`` (exclusive, ``None`` for no end), by code point."""

    low: str
    high: str | None


def check_text(text: str, what: str) -> None:
    """Raise ``LimitError`` for text that UTF-8 cannot say (a lone surrogate), naming ``what`` it is."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise LimitError(
            f"the {what} {text!r} cannot be stored: its character {error.start} is half of a surrogate pair"
        ) from None


def check_fence(fence: int) -> None:
    """Raise ``LimitError`` for an epoch that is negative or does not fit into 63 bits."""
    if not 0 <= fence <= _MAX_FENCE:
        raise LimitError(f"the fence {fence} is not a number from 0 to 2**63 - 1")


def checked(address: Address, batch: Batch) -> Batch:
    """A private copy of ``batch``, safe from later changes by its owner; raises ``LimitError`` and ``TypeError``."""
    check_text(address.party, "party")
    check_text(address.room, "room id")
    for key, value in batch.puts.items():
        check_text(key, "key")
        if not isinstance(value, bytes):
            raise TypeError(f"a store takes bytes; the value of {key!r} is {type(value).__name__}")
    for key in batch.deletes:
        check_text(key, "key")
    alarm = batch.alarm
    if alarm is not None and alarm is not KEEP:
        alarm = float(alarm)
        if not isfinite(alarm):
            raise LimitError(f"the alarm of {address} is {alarm}; it must be a time in seconds since the epoch")
    return Batch(puts=dict(batch.puts), deletes=tuple(batch.deletes), clear=batch.clear, alarm=alarm)


def span(range: Range) -> Span:
    """The one half-open span that all bounds of ``range`` leave; it may be empty (``low`` at or past ``high``)."""
    lows, highs = [range.prefix], []
    if range.start is not None:
        lows.append(range.start)
    if range.start_after is not None:
        lows.append(range.start_after + "\0")  # the first string after it
    if range.end is not None:
        highs.append(range.end)
    after = _after_prefix(range.prefix)
    if after is not None:
        highs.append(after)
    for bound in (*lows, *highs):
        check_text(bound, "bound")
    if range.limit is not None and range.limit < 0:
        raise LimitError(f"the limit of a range cannot be negative ({range.limit})")
    return Span(max(lows), min(highs, default=None))


def _after_prefix(prefix: str) -> str | None:
    """The first string after all those that start with ``prefix``; ``None`` where there is none."""
    stem = prefix.rstrip(_LAST)
    if not stem:
        return None
    last = stem[-1]
    following = _AFTER_SURROGATES if last == _BEFORE_SURROGATES else chr(ord(last) + 1)
    return stem[:-1] + following
