"""Small films whose heatmap can be worked out: the tiny package's map is the mean of each tile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from lungflag.data.manifest import Manifest, Row
from tests.packages import SIZE, TILES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SIDE = 64
TILE = SIDE // TILES


def tile(row: int, column: int) -> NDArray[np.bool_]:
    """Return the mask of one tile of a film."""
    mask = np.zeros((SIDE, SIDE), dtype=np.bool_)
    mask[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE] = True
    return mask


def film(
    folder: Path,
    name: str,
    bright: tuple[int, int],
    *,
    level: int = 200,
    lesion: NDArray[np.bool_] | None = None,
    lungs: NDArray[np.bool_] | None = None,
) -> Row:
    """Write a film, grey `level` with one white tile and one black one, and its masks."""
    pixels = np.full((SIDE, SIDE), level, dtype=np.uint8)
    pixels[tile(*bright)] = 255
    pixels[tile((bright[0] + 2) % TILES, (bright[1] + 2) % TILES)] = 0
    (folder / "masks").mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / f"{name}.png")
    extra = {}
    for column, mask in (("mask", lesion), ("lungs", lungs)):
        if mask is not None:
            extra[column] = f"masks/{name}-{column}.png"
            Image.fromarray(mask.astype(np.uint8) * 255).save(folder / extra[column])
    label = "normal" if lesion is None else "pneumonia"
    return Row(folder / f"{name}.png", label, name, "", "made", extra)


def manifest(*rows: Row) -> Manifest:
    """Return a manifest of films."""
    return Manifest(rows)


def weighted_graph(*, blind: bool = False) -> bytes:
    """Return a network of two convolutions with a class-activation map and its alignment.

    If `blind`, the map is the film's own tiles, whatever the weights are.
    """
    rng = np.random.default_rng(3)
    unit = rng.normal(size=(1, 6)).astype(np.float32)
    weights = {
        "first.weight": rng.normal(size=(4, 1, 3, 3)).astype(np.float32),
        "first.bias": rng.normal(size=4).astype(np.float32),
        "second.weight": rng.normal(size=(6, 4, 3, 3)).astype(np.float32),
        "second.bias": np.zeros(6, np.float32),
        "unit.weight": unit,
        "unit.bias": np.zeros(1, np.float32),
        "unit.copy": unit[0],  # as the exporter leaves it for the map
        "moved": (0.7 * np.eye(TILES) + 0.3 * np.roll(np.eye(TILES), 1, axis=0)).astype(np.float32),
        "scale": np.float32(255),
        "channel": np.array([1]),
        "places": np.array([2, 3]),
        "zeroth": np.array(0),
    }
    kernel: dict[str, Any] = {"kernel_shape": [2, 2], "strides": [2, 2]}
    same: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    tile_side = SIZE // TILES
    map_nodes = (
        [
            helper.make_node(
                "AveragePool", ["small"], ["tiles"],
                kernel_shape=[tile_side, tile_side], strides=[tile_side, tile_side],
            ),
            helper.make_node("Squeeze", ["tiles", "channel"], ["cam"]),
        ]
        if blind
        else [
            helper.make_node("Einsum", ["features", "unit.copy"], ["raw"], equation="nchw,c->nhw"),
            helper.make_node("MatMul", ["moved", "raw"], ["cam"]),
        ]
    )  # fmt: skip
    nodes = [
        helper.make_node("Cast", ["pixels"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["grey", "scale"], ["small"]),
        helper.make_node("Conv", ["small", "first.weight", "first.bias"], ["a"], **same),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MaxPool", ["b"], ["c"], **kernel),
        helper.make_node("Conv", ["c", "second.weight", "second.bias"], ["d"], **same),
        helper.make_node("Relu", ["d"], ["e"]),
        helper.make_node("AveragePool", ["e"], ["features"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("ReduceMean", ["features", "places"], ["embedding"], keepdims=0),
        helper.make_node("Gemm", ["embedding", "unit.weight", "unit.bias"], ["one"], transB=1),
        helper.make_node("Gather", ["one", "zeroth"], ["logit"], axis=1),
        *map_nodes,
    ]
    outputs = [
        helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["n"]),
        helper.make_tensor_value_info("cam", TensorProto.FLOAT, ["n", TILES, TILES]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 6]),
    ]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", 1, SIZE, SIZE])
    constants = [
        numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()
    ]
    graph = helper.make_graph(nodes, "weighted", [pixels], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content
