"""Call a foreign decoder: its exceptions become one error, its warnings and chatter stay inside."""

from __future__ import annotations

import os
import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, Any

from lungflag.errors import InputError, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

_guarded: ContextVar[bool] = ContextVar("lungflag_guarded", default=False)
_stderr = Lock()


class _WhileGuarded:
    """In a warnings filter, in the place of the message's pattern: matches on this thread only.

    `warnings.catch_warnings` swaps the filters of the whole process, so that two threads that
    leave it in the other order lose the process's own filters. This one stays in the list, and
    everybody else's warnings pass it.
    """

    def match(self, _message: str) -> bool:
        return _guarded.get()


_FILTER: Any = ("ignore", _WhileGuarded(), Warning, None, 0)


@contextmanager
def guarded(name: str, failure: str) -> Iterator[None]:
    """Turn whatever a decoder raises inside into an error that names the input.

    Parameters
    ----------
    name : str
        The input's name.
    failure : str
        What has failed, such as ``cannot be decoded as PNG``; the decoder's words are appended.

    Raises
    ------
    UnreadableError
        If anything but an `InputError` is raised inside.
    """
    filters: list[Any] = warnings.filters  # type: ignore[assignment]
    if filters[:1] != [_FILTER]:
        filters.insert(0, _FILTER)
    token = _guarded.set(True)
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # the bytes are hostile: a decoder may raise anything at all
        raise UnreadableError(name, f"{failure}{_in_words(error)}") from error
    finally:
        _guarded.reset(token)


def printable(text: str) -> str:
    """Return foreign words in one line of at most 150 characters, without control characters."""
    line = " ".join(text[:1000].split())
    return "".join(character for character in line if character.isprintable())[:150]


def _in_words(error: Exception) -> str:
    text = printable(str(error))
    return f" ({text})" if text else ""


@contextmanager
def stderr_muted() -> Iterator[None]:
    """Send the process's standard error nowhere: GDCM's C code writes there and offers no switch.

    Only one thread at a time does so, and GDCM keeps the interpreter's lock while it decodes.
    """
    with _stderr:
        kept = _duplicate_stderr()
        if kept is None:
            yield
            return
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 2)
            os.close(null)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _duplicate_stderr() -> int | None:
    try:
        return os.dup(2)
    except OSError:  # a daemon without standard error
        return None
