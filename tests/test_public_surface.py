from __future__ import annotations

import subprocess
import sys
from importlib.resources import files

import pytest

import lungflag


def test_the_public_surface_is_sorted_whole_and_importable() -> None:
    assert lungflag.__all__ == sorted(lungflag.__all__)
    for name in lungflag.__all__:
        assert getattr(lungflag, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Detectr'"):
        _ = lungflag.Detectr


def test_every_error_of_the_tree_is_public_and_drawn() -> None:
    from lungflag import errors

    tree = {name for name in vars(errors) if name.endswith("Error")}
    assert tree <= set(lungflag.__all__)
    assert all(name in str(errors.__doc__) for name in tree)


def test_the_package_is_typed() -> None:
    assert (files("lungflag") / "py.typed").is_file()


def test_importing_lungflag_loads_nothing_heavy() -> None:
    code = (
        "import sys, lungflag, lungflag.cli\n"
        "heavy = {'torch', 'onnxruntime', 'sklearn', 'scipy', 'matplotlib', 'pyarrow', 'pydicom'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
