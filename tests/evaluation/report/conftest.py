from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lungflag.detector import Detector

if TYPE_CHECKING:
    from lungflag.package import ModelPackage


@pytest.fixture
def detector(tiny_package: ModelPackage) -> Detector:
    assert tiny_package.folder is not None
    return Detector.load(tiny_package.folder, threads=1)
