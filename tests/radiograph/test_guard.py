from __future__ import annotations

import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from lungflag.errors import NotARadiographError, UnreadableError
from lungflag.radiograph.guard import guarded, stderr_muted


@pytest.mark.parametrize("error", [ValueError, EOFError, RecursionError, MemoryError, KeyError])
def test_any_exception_becomes_one_line_that_names_the_input(error: type[Exception]) -> None:
    with pytest.raises(UnreadableError) as refused, guarded("film", "cannot be decoded"):
        raise error("first\n  second")
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("film: cannot be decoded (")
    assert isinstance(refused.value.__cause__, error)


def test_an_error_of_the_tree_passes() -> None:
    with pytest.raises(NotARadiographError, match=r"^film: is a cat$"), guarded("film", "fails"):
        raise NotARadiographError("film", "is a cat")


def test_interrupts_pass() -> None:
    with pytest.raises(KeyboardInterrupt), guarded("film", "fails"):
        raise KeyboardInterrupt


def test_warnings_stay_inside_and_only_inside() -> None:
    with guarded("film", "fails"):
        warnings.warn("inside", UserWarning, stacklevel=1)
    with pytest.warns(UserWarning, match=r"outside"):
        warnings.warn("outside", UserWarning, stacklevel=1)


def test_another_threads_warnings_are_its_own() -> None:
    entered, warned = Barrier(2, timeout=20), Barrier(2, timeout=20)

    def guard() -> None:
        with guarded("film", "fails"):
            entered.wait()
            warned.wait()
            warnings.warn("still inside", UserWarning, stacklevel=1)

    with ThreadPoolExecutor(1) as pool:
        guarding = pool.submit(guard)
        entered.wait()
        with pytest.raises(UserWarning, match=r"mine"):
            warnings.warn("mine", UserWarning, stacklevel=1)
        warned.wait()
        guarding.result()


def test_the_filters_do_not_grow() -> None:
    with guarded("film", "fails"):
        before = len(warnings.filters)
    for _ in range(100):
        with guarded("film", "fails"):
            pass
    assert len(warnings.filters) == before


def test_standard_error_is_muted_and_comes_back(capfd: pytest.CaptureFixture[str]) -> None:
    with stderr_muted():
        os.write(2, b"chatter")
    os.write(2, b"news")
    assert capfd.readouterr().err == "news"


def test_a_process_without_standard_error_can_mute_it() -> None:
    code = (
        "import os; from lungflag.radiograph.guard import stderr_muted; os.close(2)\n"
        "with stderr_muted(): print('fine')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "fine\n"
