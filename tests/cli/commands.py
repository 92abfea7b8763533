"""Run a command in this process, through its real entry."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from lungflag.cli import main


@dataclass(frozen=True)
class Ran:
    """What a command printed and its exit code."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Command:
    """`lungflag WORDS...`, to be called with further arguments."""

    words: tuple[str, ...]
    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: object) -> Ran:
        self.patch.setattr(sys, "argv", ["lungflag", *self.words, *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        code = stop.value.code
        assert isinstance(code, int | None)
        captured = self.capture.readouterr()
        return Ran(code or 0, captured.out, captured.err)
