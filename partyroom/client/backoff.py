"""Backoff: how long a client waits before it tries again.

Before attempt *n* after a connection was lost (or could not be made), counting from 1, a client waits

::

    ceiling = min(maximum, initial * growth ** (n - 1))
    delay   = ceiling * (1 - jitter * random())            random() is uniform in [0, 1)

so with the defaults the first wait is between 0.2 s and 2 s, the next between 0.3 s and 3 s, and from the eighth on
between 3 s and 30 s. *n* begins at 1 again once a connection has lived for ``min_uptime`` seconds: a server that
accepts and then hangs up is left in peace as one that does not answer is. The jitter is wide because every client of a
server loses it in the same instant: without it they would all come back in the same instant too.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Backoff"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """When to try again; times are seconds. Raises ``ValueError`` for what makes no sense."""

    initial: float = 2.0
    """The longest that the first wait can be."""
    maximum: float = 30.0
    """The longest that any wait can be."""
    growth: float = 1.5
    """By how much each wait is longer than the one before."""
    jitter: float = 0.9
    """How much of a wait is left to chance: 0 is nothing of it, 1 all."""
    min_uptime: float = 5.0
    """How long a connection must live for its end to count as a first failure again."""
    random: Callable[[], float] = field(default=random.random, repr=False, compare=False)
    """Uniform in [0, 1); tests give a seeded one."""

    def __post_init__(self) -> None:
        if not 0 < self.initial <= self.maximum:
            raise ValueError(f"0 < initial <= maximum, not initial {self.initial} and maximum {self.maximum}")
        if self.growth < 1:
            raise ValueError(f"waits may not become shorter: growth is at least 1, not {self.growth}")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter is between 0 and 1, not {self.jitter}")
        if self.min_uptime < 0:
            raise ValueError(f"min_uptime is at least 0, not {self.min_uptime}")

    def ceiling(self, attempt: int) -> float:
        """The longest wait before the attempt of this number (from 1)."""
        try:
            return min(self.maximum, self.initial * self.growth ** (attempt - 1))
        except OverflowError:  # days of trying
            return self.maximum

    def delay(self, attempt: int) -> float:
        """A wait before the attempt of this number (from 1)."""
        return self.ceiling(attempt) * (1 - self.jitter * self.random())
