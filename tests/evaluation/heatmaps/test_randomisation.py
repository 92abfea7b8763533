from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from lungflag.detector import Detector
from lungflag.errors import PackageFormatError
from lungflag.evaluation.heatmaps import randomised, weight_layers, weight_sanity
from lungflag.package import ModelPackage, find_package
from lungflag.phantom import make_phantom
from tests.evaluation.heatmaps.films import film, weighted_graph
from tests.packages import build_graph

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.packages import PackageMaker


def textures(n: int) -> NDArray[np.uint8]:
    """Return films of 4 x 4 tiles that differ in texture and not in brightness."""
    rng = np.random.default_rng(5)
    tiles = np.repeat(np.array([40, 216], dtype=np.uint8), 32)
    shuffled = rng.permuted(np.tile(tiles, (n, 4, 4, 1)), axis=-1).reshape(n, 4, 4, 8, 8)
    return np.ascontiguousarray(shuffled.transpose(0, 1, 3, 2, 4).reshape(n, 32, 32))


SQUARES = textures(6)
LAYERS = [
    ("unit.weight", "unit.bias"),
    ("second.weight", "second.bias"),
    ("first.weight", "first.bias"),
]


def tensors(graph: bytes) -> dict[str, NDArray[np.float32]]:
    found = onnx.load_from_string(graph).graph.initializer
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in found}


def test_layers_are_found_from_the_output_down_and_geometry_is_none() -> None:
    assert weight_layers(weighted_graph()) == LAYERS


def test_a_graph_without_weights_is_refused() -> None:
    with pytest.raises(PackageFormatError, match="no layer with weights"):
        weight_layers(build_graph())


def test_named_weights_and_their_copies_change_and_nothing_else() -> None:
    graph = weighted_graph()
    old = tensors(graph)
    new = tensors(randomised(graph, LAYERS[0], np.random.default_rng(1)))
    changed = {name for name in old if not np.array_equal(old[name], new[name])}
    assert changed == {"unit.weight", "unit.copy"}
    np.testing.assert_array_equal(new["unit.weight"][0], new["unit.copy"])
    everything = [name for layer in LAYERS for name in layer]
    new = tensors(randomised(graph, everything, np.random.default_rng(1)))
    for name in ("moved", "scale"):
        np.testing.assert_array_equal(old[name], new[name])
    np.testing.assert_allclose(new["second.weight"].std(), old["second.weight"].std(), rtol=0.2)


def test_the_same_generator_gives_the_same_graph() -> None:
    graph = weighted_graph()
    one, again = (randomised(graph, LAYERS[1], np.random.default_rng(2)) for _ in range(2))
    assert one == again
    assert (
        randomised(graph, (), np.random.default_rng(2))
        == onnx.load_from_string(graph).SerializeToString()
    )


def test_a_map_made_of_weights_is_lost_with_them(
    make_package: PackageMaker, tmp_path: Path
) -> None:
    package = make_package(tmp_path / "package", graph=weighted_graph())
    assert package.folder is not None
    rows = [film(tmp_path, str(n), (n % 4, 0)) for n in range(len(SQUARES))]
    detector = Detector.load(package.folder, threads=1)
    found = weight_sanity(detector, rows, SQUARES, draws=3)
    assert [(depth.layers, depth.deepest) for depth in found.depths] == [
        (n + 1, layer[0]) for n, layer in enumerate(LAYERS)
    ]
    assert found.layers == 3
    assert found.passed
    assert found.another_film.n == 6
    assert weight_sanity(detector, rows, SQUARES, draws=3) == found


def test_a_map_that_ignores_the_weights_fails(make_package: PackageMaker, tmp_path: Path) -> None:
    package = make_package(tmp_path / "package", graph=weighted_graph(blind=True))
    assert package.folder is not None
    rows = [film(tmp_path, str(n), (n % 4, 0)) for n in range(len(SQUARES))]
    found = weight_sanity(Detector.load(package.folder, threads=1), rows, SQUARES, draws=1)
    assert [depth.similarity.value for depth in found.depths] == pytest.approx([1, 1, 1])
    assert not found.passed


@pytest.mark.slow
@pytest.mark.parametrize("name", ["guangzhou", "phantom"])
def test_the_layers_of_shipped_packages_are_all_of_their_weights(name: str) -> None:
    graph = ModelPackage.read(find_package(name)).graph_bytes()
    whole = onnx.load_from_string(graph).graph
    fixed = {tensor.name for tensor in whole.initializer}
    fixed |= {
        node.output[0] for node in whole.node if node.op_type == "Cast" and node.input[0] in fixed
    }
    geometry = {name for name in fixed if name.endswith((".down", ".right"))}
    learnt = [
        node
        for node in whole.node
        if node.op_type in ("Conv", "Gemm", "MatMul") and fixed.intersection(node.input) - geometry
    ]
    assert len(weight_layers(graph)) == len(learnt)


@pytest.mark.slow
def test_the_phantom_packages_map_is_lost_with_its_weights(tmp_path: Path) -> None:
    detector = Detector.load("phantom", threads=2)
    rows = [film(tmp_path, str(n), (n % 4, 0)) for n in range(6)]
    films = [make_phantom(60_000 + n, pneumonia=True, size=256).pixels for n in range(6)]
    squares = np.stack([detector.package.preprocess(pixels) for pixels in films])
    found = weight_sanity(detector, rows, squares, draws=2)
    assert found.passed
