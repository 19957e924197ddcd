"""Ordered: a shared list whose items several may move at once, without one of them being doubled.

It is a map of maps, each with an ``order`` beside what it holds. To move an item is to give it another order, which is
a fraction in base 62 between those of its neighbours: where two move one item, it goes to one of the two places. Items
that two put in one place keep apart, for the digits have some chance in them.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from typing import Any, Final

from partyroom.client import SharedMap

__all__ = ["Ordered", "between"]

DIGITS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
ROOM: Final = len(DIGITS) ** 4
"""How many places there are at least between two neighbours, of which one is taken by chance."""


def between(low: str, high: str) -> str:
    """An order between two; an empty ``low`` is the beginning and an empty ``high`` the end.

    Raises ``ValueError`` where ``low`` is not below ``high``, or where one of them is no order.
    """
    length = max(len(low), len(high), 1)
    while True:
        bottom = _number(low, length)
        top = _number(high, length) if high else len(DIGITS) ** length
        if top <= bottom:
            raise ValueError(f"there is nothing between {low!r} and {high!r}")
        if top - bottom > ROOM:
            break
        length += 1
    quarter = (top - bottom) // 4
    return _digits(bottom + quarter + secrets.randbelow(2 * quarter), length)


def _number(order: str, length: int) -> int:
    number = 0
    for digit in order.ljust(length, DIGITS[0]):
        number = number * len(DIGITS) + DIGITS.index(digit)
    return number


def _digits(number: int, length: int) -> str:
    digits = ""
    for _ in range(length):
        number, digit = divmod(number, len(DIGITS))
        digits = DIGITS[digit] + digits
    return digits.rstrip(DIGITS[0])


class Ordered:
    """The items of a shared map, in their order. What strangers have put into the map and is no item is left alone."""

    def __init__(self, items: SharedMap) -> None:
        self.items = items

    def read(self) -> dict[str, dict[str, Any]]:
        """The items by id, as plain values, in order."""
        items = [(id, item) for id, item in self.items.copy().items() if isinstance(item, dict)]
        return dict(sorted(items, key=lambda one: (_order(one[1]), one[0])))

    def add(self, values: Mapping[str, Any], texts: Mapping[str, str] | None = None, after: str | None = None) -> str:
        """Add an item after another one, or at the end; ``texts`` are shared texts in it. Returns its id."""
        items = self.read()
        ids = list(items)
        at = ids.index(after) + 1 if after is not None and after in items else len(ids)
        id = secrets.token_hex(6)
        item = self.items.map(id)
        item.update({**values, "order": _order_at([_order(one) for one in items.values()], at)})
        for name, text in (texts or {}).items():
            if text:
                item.text(name).append(text)
        return id

    def item(self, id: str) -> SharedMap | None:
        """An item, live; ``None`` where it is gone, or is a stranger's that cannot be edited in part."""
        try:
            return self.items.map(id) if id in self.items else None
        except TypeError:
            return None

    def write(self, id: str, key: str, text: str) -> None:
        """Make a shared text of an item this one, if the item is there; what both have in common stays."""
        item = self.item(id)
        if item is not None:
            try:
                item.text(key).set(text)
            except TypeError:  # a stranger's plain value
                item[key] = text

    def move(self, id: str, by: int) -> None:
        """Move an item down by so many places, or with a negative number up, as far as there are places."""
        items = self.read()
        ids = list(items)
        item = self.item(id)
        if id not in ids or item is None:
            return
        at = ids.index(id)
        to = min(max(at + by, 0), len(ids) - 1)
        if to != at:
            ids.pop(at)
            item["order"] = _order_at([_order(items[one]) for one in ids], to)

    def remove(self, id: str) -> None:
        """Remove an item, if it is still there."""
        self.items.pop(id, None)


def _order_at(orders: list[str], at: int) -> str:
    """An order for an item that is to be the one at ``at`` among those with these orders."""
    low = orders[at - 1] if at else ""
    high = next((order for order in orders[at:] if order > low), "")
    return between(low, high)


def _order(item: Any) -> str:
    """The order of an item; the beginning, for one in which there is none that is fit."""
    order = item.get("order")
    fit = isinstance(order, str) and len(order) < 1000 and all(digit in DIGITS for digit in order)
    return order.rstrip(DIGITS[0]) if fit else ""
