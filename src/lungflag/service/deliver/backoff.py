"""How long to wait before the next try."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double from `first` to `longest` seconds, each shortened by up to a half.

    The chance in it keeps many senders from coming back all at once.

    Attributes
    ----------
    first, longest : float
        Seconds.
    random : Random
        Where chance comes from.
    """

    first: float = 1.0
    longest: float = 600.0
    random: Random = field(default_factory=Random)

    def seconds(self, attempts: int) -> float:
        """Return the wait after the `attempts`-th failure in a row, counted from 1."""
        whole = min(self.longest, self.first * 2.0 ** min(attempts - 1, 60))
        return whole * self.random.uniform(0.5, 1.0)
