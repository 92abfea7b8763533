"""What every contestant does: get ready, then work a round for every line that comes in.

So that two of them can be measured in turn, in one session, without paying for a start each time.
"""

from __future__ import annotations

import sys
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def take_turns(work: Callable[[], int]) -> None:
    """Work once to warm up; then, for each line, say how many things a second were worked on."""
    work()
    print("ready", flush=True)
    for _ in sys.stdin:
        started = perf_counter()
        done = work()
        print(done / (perf_counter() - started), flush=True)
