"""How often somebody may ask, and how often a password may be wrong."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_NAMES = 10_000
"""Who was heard of longest ago is forgotten beyond this: memory is not for strangers to fill."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Limit:
    """Lets each name do something so often in some seconds, in bursts too. Safe between threads.

    Parameters
    ----------
    most : int
        How often.
    seconds : float
        In what time.
    clock : callable
        Returns seconds.
    """

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._most, self._rate, self._clock = most, most / seconds, clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._lock = Lock()

    def take(self, name: str) -> float:
        """Count one for a name, and return 0; or seconds to wait, and nothing was counted."""
        with self._lock:
            bucket = self._filled(name)
            if bucket.tokens < 1:
                return (1 - bucket.tokens) / self._rate
            bucket.tokens -= 1
            return 0.0

    def wait(self, name: str) -> float:
        """Return how many seconds a name has to wait; 0 where it has not."""
        with self._lock:
            tokens = self._filled(name).tokens
            return 0.0 if tokens >= 1 else (1 - tokens) / self._rate

    def give(self, name: str) -> None:
        """Take back what was counted for a name."""
        with self._lock:
            bucket = self._filled(name)
            bucket.tokens = min(self._most, bucket.tokens + 1)

    def _filled(self, name: str) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(self._most, now)
            if len(self._buckets) > _MOST_NAMES:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(name)
            bucket.tokens = min(self._most, bucket.tokens + (now - bucket.at) * self._rate)
            bucket.at = now
        return bucket


class SignInLimit:
    """Slows down who guesses passwords, without locking the owner of an account out for long.

    Wrong passwords count for the address, for the account at that address, and, far more
    generously, for the account wherever they come from.

    Parameters
    ----------
    clock : callable
        Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._limits = (
            (Limit(30, 300.0, clock), lambda _name, address: address),
            (Limit(5, 300.0, clock), lambda name, address: f"{address} {name}"),
            (Limit(100, 3600.0, clock), lambda name, _address: name),
        )

    def take(self, name: str, address: str) -> float:
        """Count an attempt before it is judged, and return 0; or the seconds to wait."""
        for limit, key in self._limits:
            if pause := limit.wait(key(name, address)):
                return pause
        for limit, key in self._limits:
            limit.take(key(name, address))
        return 0.0

    def forgive(self, name: str, address: str) -> None:
        """Take back an attempt that was no guess."""
        for limit, key in self._limits:
            limit.give(key(name, address))
