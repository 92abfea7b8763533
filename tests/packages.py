"""Small real model packages for tests: the fixtures `make_package` and `tiny_package`.

The graph is a hand-made ONNX model whose answer can be worked out by hand: the logit is
``(mean - 128) / 16`` of the input bytes, the class-activation map the same of each of 4 x 4 tiles,
the embedding the tiles in a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import onnx
import pytest
from onnx import TensorProto, helper

from lungflag.calibration import Calibration, OperatingPoint
from lungflag.package import ModelPackage
from lungflag.preprocess import Preprocess
from lungflag.quality import GateSettings
from lungflag.quality.settings import KINDS

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 32
TILES = 4
TINY_GATE = GateSettings(
    size=40,
    low=0.0,
    high=100.0,
    smallest_side=40,
    longest_shape=2.5,
    frontal=0.5,
    familiar=4.0,
    far=8.0,
)


def build_graph(*, size: int = SIZE, rename: str = "", broken: bool = False) -> bytes:
    """Return the graph; `rename` gives the output ``logit`` another name, `broken` makes it NaN."""
    tile = size // TILES
    logit = rename or "logit"
    nodes = [
        helper.make_node("Cast", ["pixels"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["grey", "middle"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["scaled"]),
        helper.make_node(
            "AveragePool", ["scaled"], ["tiles"], kernel_shape=[tile, tile], strides=[tile, tile]
        ),
        helper.make_node("Squeeze", ["tiles", "channel"], ["cam"]),
        helper.make_node("Flatten", ["tiles"], ["embedding"], axis=1),
        helper.make_node("ReduceMean", ["scaled", "all"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "zero"] if broken else ["mean", "one"], [logit]),
    ]
    constants = [
        helper.make_tensor("middle", TensorProto.FLOAT, [], [128.0]),
        helper.make_tensor("scale", TensorProto.FLOAT, [], [16.0]),
        helper.make_tensor("one", TensorProto.FLOAT, [], [1.0]),
        helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
        helper.make_tensor("channel", TensorProto.INT64, [1], [1]),
        helper.make_tensor("all", TensorProto.INT64, [3], [1, 2, 3]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", 1, size, size])],
        [
            helper.make_tensor_value_info(logit, TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("cam", TensorProto.FLOAT, ["n", TILES, TILES]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", TILES**2]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def build_gate(*, size: int = TINY_GATE.size, rename: str = "", broken: bool = False) -> bytes:
    """Return a gate whose answer is written in the film.

    Its first pixels are the logits of the kinds, the last but one is the distance times 16.
    `rename` and `broken` as in `build_graph`.
    """
    distance = rename or "distance"
    end = size * size
    nodes = [
        helper.make_node("Cast", ["pixels"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["grey"], ["flat"], axis=1),
        helper.make_node("Slice", ["flat", "zeroth", "kinds", "axis"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["kind"], axis=1),
        helper.make_node("Slice", ["flat", "last", "end", "axis"], ["place"]),
        helper.make_node("ReduceMean", ["place", "axis"], ["level"], keepdims=0),
        helper.make_node("Div", ["level", "none" if broken else "scale"], [distance]),
    ]
    constants = [
        helper.make_tensor("zeroth", TensorProto.INT64, [1], [0]),
        helper.make_tensor("kinds", TensorProto.INT64, [1], [len(KINDS)]),
        helper.make_tensor("last", TensorProto.INT64, [1], [end - 2]),
        helper.make_tensor("end", TensorProto.INT64, [1], [end - 1]),
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        helper.make_tensor("scale", TensorProto.FLOAT, [], [16.0]),
        helper.make_tensor("none", TensorProto.FLOAT, [], [0.0]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny gate",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", 1, size, size])],
        [
            helper.make_tensor_value_info("kind", TensorProto.FLOAT, ["n", len(KINDS)]),
            helper.make_tensor_value_info(distance, TensorProto.FLOAT, ["n"]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def tiny_fields(**changes: Any) -> dict[str, Any]:
    """Return the fields of a `ModelPackage`."""
    return {
        "name": "tiny",
        "version": "1.2.0",
        "preprocess": Preprocess(size=SIZE, low=0.0, high=100.0),
        "calibration": Calibration(slope=0.5, intercept=0.25),
        "operating_points": (
            OperatingPoint("triage", 0.4, "sensitivity at least 0.95", 0.96, 0.8, 120),
            OperatingPoint("balanced", 0.5, "largest Youden index", 0.9, 0.91, 120),
        ),
        "default_operating_point": "balanced",
        "provenance": {"recipe": "by hand", "seed": 7, "backbone": "mean grey value"},
        "training_data": (
            {"name": "None", "licence": "CC0-1.0", "citation": "-", "images": 0, "patients": 0},
        ),
        **changes,
    }


class PackageMaker(Protocol):
    """Write a package of `tiny_fields` with `changes`; see `build_graph` for the last three."""

    def __call__(
        self,
        folder: Path,
        *,
        graph: bytes | None = None,
        gate_graph: bytes | None = None,
        size: int = SIZE,
        rename: str = "",
        broken: bool = False,
        **changes: Any,
    ) -> ModelPackage: ...


@pytest.fixture
def make_package() -> PackageMaker:
    def make(
        folder: Path,
        *,
        graph: bytes | None = None,
        gate_graph: bytes | None = None,
        size: int = SIZE,
        rename: str = "",
        broken: bool = False,
        **changes: Any,
    ) -> ModelPackage:
        built = graph or build_graph(size=size, rename=rename, broken=broken)
        package = ModelPackage(**tiny_fields(**changes))
        gate = None if package.gate is None else gate_graph or build_gate()
        return package.write(folder, graph=built, card="# tiny\n\nFor tests.\n", gate=gate)

    return make


@pytest.fixture
def tiny_package(tmp_path: Path, make_package: PackageMaker) -> ModelPackage:
    return make_package(tmp_path / "packages" / "tiny")
