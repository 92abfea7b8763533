"""Which device runs a graph."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pytest

from lungflag._session import open_session, provider
from lungflag.detector import Detector
from lungflag.errors import PackageFormatError
from tests.packages import SIZE, build_graph

if TYPE_CHECKING:
    from lungflag.package import ModelPackage

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@pytest.fixture
def cuda_that_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime's list names CUDA; to ask for it is then an error (a warning, in tests)."""
    if CUDA in onnxruntime.get_available_providers():
        pytest.skip("CUDA is there")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])


def test_a_detector_says_what_it_runs_on(tiny_package: ModelPackage) -> None:
    assert tiny_package.folder is not None
    here = "CUDA" if CUDA in onnxruntime.get_available_providers() else "CPU"
    assert Detector.load(tiny_package.folder).provider == here


@pytest.mark.usefixtures("cuda_that_does_not_load")
def test_where_cuda_does_not_load_the_cpu_gives_the_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        session = open_session(build_graph(), Path("model.onnx"), threads=1)
    assert provider(session) == "CPU"
    assert "using the CPU" in caplog.text
    plain = onnxruntime.InferenceSession(build_graph(), providers=[CPU])
    pixels = np.random.default_rng(0).integers(0, 256, (1, 1, SIZE, SIZE)).astype(np.uint8)
    got, expected = (one.run(["logit"], {"pixels": pixels})[0] for one in (session, plain))
    np.testing.assert_array_equal(got, expected)


@pytest.mark.usefixtures("cuda_that_does_not_load")
def test_a_broken_graph_is_still_named_where_cuda_does_not_load() -> None:
    with pytest.raises(PackageFormatError, match=r"model\.onnx"):
        open_session(b"no graph", Path("model.onnx"), threads=1)
