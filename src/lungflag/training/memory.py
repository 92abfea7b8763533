"""Keep what a step freed for the next step."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # glibc's malloc.h


def keep_freed_memory() -> None:
    """Let this process's heap keep large blocks instead of giving each back to the kernel.

    A step on a CPU frees and asks again for the same hundreds of megabytes, and glibc maps each
    large block anew, so that the kernel clears every page of it every time: that was a fifth of a
    step in bfloat16 and half of one in float32. Other C libraries are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, -1)
