from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.audit.sets import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "data").mkdir()
    return Folder(tmp_path / "data")
