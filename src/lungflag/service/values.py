"""From what stands in a file, or from text, to the value of a setting."""

from __future__ import annotations

import re
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_AE_TITLE = re.compile(r"[\x21-\x5b\x5d-\x7e](?:[\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?")
_PEER = re.compile(rf"({_AE_TITLE.pattern})@(\S+)")


def text(value: Any) -> str:
    """Return a line of text, which may be empty."""
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError("is not a line of text")
    return value.strip()


def some_text(value: Any) -> str:
    """Return a line of text that is not empty."""
    if not text(value):
        raise ValueError("is empty")
    return text(value)


def path(value: Any) -> Path:
    """Return a path."""
    return Path(some_text(str(value) if isinstance(value, Path) else value)).expanduser()


def optional_path(value: Any) -> Path | None:
    """Return a path, or None for an empty text."""
    return None if value == "" else path(value)


def whole(least: int, most: int) -> Callable[[Any], int]:
    """Return a parser of whole numbers in a range."""

    def parse(value: Any) -> int:
        number = _number(value, int)
        if number is None or isinstance(value, float) or not least <= number <= most:
            raise ValueError(f"is not a whole number from {least} to {most}")
        return int(number)

    return parse


port = whole(0, 65_535)


def seconds(value: Any) -> float:
    """Return a span of time above zero, at most a day."""
    number = _number(value, float)
    if number is None or not isfinite(number) or not 0 < number <= 86_400:
        raise ValueError("is not a number of seconds from above 0 to 86400")
    return float(number)


def one_of(*words: str) -> Callable[[Any], str]:
    """Return a parser of one of a few words."""

    def parse(value: Any) -> str:
        if not isinstance(value, str) or value.strip().lower() not in words:
            raise ValueError(f"is not one of {', '.join(words)}")
        return value.strip().lower()

    return parse


def flag(value: Any) -> bool:
    """Return true or false, in the environment as those words."""
    value = (
        {"true": True, "false": False}.get(value.strip().lower())
        if isinstance(value, str)
        else value
    )
    if not isinstance(value, bool):
        raise ValueError("is not true or false")
    return value


def ae_title(value: Any) -> str:
    """Return an AE title (PS3.5, 6.2): at most 16 characters, no backslash, spaces only inside."""
    if not isinstance(value, str) or not _AE_TITLE.fullmatch(value.strip(" ")):
        raise ValueError("is no AE title: 1 to 16 ASCII characters without backslash")
    return value.strip(" ")


def peers(value: Any) -> tuple[str, ...]:
    """Return a list of ``AET@address``; as text they are parted by commas."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple) or not all(
        isinstance(one, str) and _PEER.fullmatch(one) for one in value
    ):
        raise ValueError('is no list of AET@address, such as ["XRAY1@192.0.2.7"]')
    return tuple(value)


def endpoint(value: Any) -> tuple[str, str, int]:
    """Return AE title, host and port of ``AET@host:port``."""
    title, _, place = some_text(value).rpartition("@")
    host, _, number = place.rpartition(":")
    try:
        if not host or not port(number):
            raise ValueError
        return ae_title(title), host.strip("[]"), port(number)
    except ValueError:
        raise ValueError("is not of the form AET@host:port") from None


def endpoints(value: Any) -> tuple[str, ...]:
    """Return a list of ``AET@host:port``; as text they are parted by commas."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple):
        raise ValueError('is no list of AET@host:port, such as ["XRAY1@192.0.2.7:104"]')
    for one in value:
        endpoint(one)
    return tuple(value)


def _number(value: Any, kind: type[int] | type[float]) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return kind(value)
    except ValueError:
        return None
