"""The sanity check of Adebayo et al.: a map must depend on the weights of its network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lungflag._extras import require
from lungflag._session import open_session
from lungflag.detector import usable_cpus
from lungflag.errors import PackageFormatError
from lungflag.evaluation.heatmaps.places import side_by_side
from lungflag.evaluation.heatmaps.study import mean_estimate
from lungflag.package import GRAPH

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from numpy.typing import NDArray

    from lungflag.data.manifest import Row
    from lungflag.detector import Detector
    from lungflag.evaluation.intervals import Estimate

DRAWS = 3
LIMIT = 0.5
"""Similarity that the map of a wholly random network must stay below."""

_DEPTHS = 12  # networks of many layers are randomised in about so many steps
_AT_ONCE = 8  # films a batch
_WEIGHED = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
_FEATURE = "the weight-randomisation check"


@dataclass(frozen=True, slots=True)
class Depth:
    """One step of the cascade.

    Attributes
    ----------
    layers : int
        How many layers from the output are random.
    deepest : str
        The weight of the lowest of them.
    similarity : Estimate
        Mean absolute rank correlation (Spearman) of a film's map with the map of the network as
        it is. Absolute, since a map turned inside out shows the same structure.
    """

    layers: int
    deepest: str
    similarity: Estimate


@dataclass(frozen=True, slots=True)
class Randomisation:
    """How the maps change as the weights are lost from the output down.

    Attributes
    ----------
    layers : int
        Layers of the network.
    depths : tuple[Depth, ...]
        From one random layer to all of them.
    another_film : Estimate
        The similarity of a film's map to the next film's, from the network as it is: what maps
        have in common that know nothing of the film.
    """

    layers: int
    depths: tuple[Depth, ...]
    another_film: Estimate

    @property
    def passed(self) -> bool:
        """Whether a wholly random network's maps are surely less similar than `LIMIT`."""
        high = self.depths[-1].similarity.high
        return high is not None and high < LIMIT


def weight_sanity(
    detector: Detector,
    rows: Sequence[Row],
    squares: NDArray[np.uint8],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Randomisation:
    """Randomise the network's layers from the output down and see how far its maps change.

    Parameters
    ----------
    detector : Detector
        The package at work.
    rows : sequence of Row
        The films, one of them at least.
    squares : NDArray[np.uint8]
        Shape (n, size, size): the films, preprocessed.
    draws : int
        Random networks at each depth. A film's similarity is the mean over them.
    seed : int
        Chooses the random weights.

    Raises
    ------
    MissingExtraError
        If the package `onnx` or SciPy is not installed.
    PackageFormatError
        If the graph has no weights that can be told.

    References
    ----------
    J. Adebayo et al., 'Sanity checks for saliency maps', NeurIPS 2018: cascading randomisation.
    """
    graph = detector.package.graph_bytes()
    layers = weight_layers(graph)
    maps = _maps(detector, squares)

    def similarity(depth: int) -> Estimate:
        lost = [name for layer in layers[:depth] for name in layer]
        alike = np.zeros(len(maps))
        for draw in range(draws):
            other = _running(detector, randomised(graph, lost, np.random.default_rng([seed, draw])))
            alike += [_alike(*pair) for pair in zip(maps, _maps(other, squares), strict=True)]
        return mean_estimate(rows, (alike / draws).tolist(), note="")

    others = [_alike(one, maps[i - 1]) for i, one in enumerate(maps)]
    return Randomisation(
        layers=len(layers),
        depths=tuple(
            Depth(depth, layers[depth - 1][0], similarity(depth)) for depth in _steps(len(layers))
        ),
        another_film=mean_estimate(rows, others if len(rows) > 1 else [], note="a single film"),
    )


def weight_layers(graph: bytes) -> list[tuple[str, ...]]:
    """Return the names of a graph's weights, with their biases, layer by layer from the output.

    A layer is a convolution or matrix product on which the logit depends. What the map alone
    passes through, such as its alignment with the film, is geometry and no weight.

    Raises
    ------
    MissingExtraError
        If the package `onnx` is not installed.
    PackageFormatError
        If there are none.
    """
    onnx, arrays = _onnx()
    graph_of_nodes = onnx.load_from_string(graph).graph
    weights = {
        tensor.name
        for tensor in graph_of_nodes.initializer
        if np.issubdtype(arrays.to_array(tensor).dtype, np.floating)
    }
    stored = {
        node.output[0]: node.input[0]  # a weight that is kept in fewer bits than it is used in
        for node in graph_of_nodes.node
        if node.op_type == "Cast" and node.input[0] in weights
    }
    wanted, layers, seen = {"logit"}, [], set[str]()
    for node in reversed(graph_of_nodes.node):  # an ONNX graph is in topological order
        if not wanted.intersection(node.output):
            continue
        wanted.update(node.input)
        names = (stored.get(name, name) for name in node.input)
        own = tuple(name for name in names if name in weights - seen)
        if node.op_type in _WEIGHED and own:
            layers.append(own)
            seen.update(own)
    if not layers:
        raise PackageFormatError(f"{GRAPH}: no layer with weights between pixels and logit")
    return layers


def randomised(graph: bytes, names: Sequence[str], rng: np.random.Generator) -> bytes:
    """Return the graph with the named weights drawn from a normal distribution.

    Each tensor keeps its mean and standard deviation, so that no layer falls silent or saturates.
    A copy of a weight, which the map has from the exporter, becomes the copy of the new one.
    """
    onnx, arrays = _onnx()
    model = onnx.load_from_string(graph)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for name in names:
        old = arrays.to_array(tensors[name])
        new = rng.normal(old.mean(), old.std(), old.shape).astype(old.dtype)
        alike = [one for one in tensors.values() if prod(one.dims) == old.size]
        for tensor in alike if old.ndim > 1 else [tensors[name]]:  # biases may agree by chance
            held = arrays.to_array(tensor)
            for before, after in ((old, new), (old.T, new.T)):
                if np.array_equal(held.ravel(), before.ravel()):
                    values = np.ascontiguousarray(after).reshape(held.shape)
                    tensor.CopyFrom(arrays.from_array(values, tensor.name))
                    break
    changed: bytes = model.SerializeToString()
    return changed


def _onnx() -> tuple[ModuleType, ModuleType]:
    return (
        require("onnx", feature=_FEATURE, extra="train"),
        require("onnx.numpy_helper", feature=_FEATURE, extra="train"),
    )


def _running(detector: Detector, graph: bytes) -> Detector:
    """Return `detector` with another graph."""
    return replace(detector, session=open_session(graph, Path(GRAPH), threads=usable_cpus()))


def _maps(detector: Detector, squares: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the bare graph's maps of (n, size, size) squares, a few at a time."""
    parts = [
        detector.infer(squares[start : start + _AT_ONCE, None])[1]
        for start in range(0, len(squares), _AT_ONCE)
    ]
    return np.concatenate(parts)


def _alike(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the absolute rank correlation of two maps; a level or broken map is like none."""
    stats = require("scipy.stats", feature=_FEATURE, extra="evidence")
    values = side_by_side(one, other)
    return 0.0 if values is None else abs(float(stats.spearmanr(*values).statistic))


def _steps(layers: int) -> list[int]:
    """Return up to `_DEPTHS` numbers of layers, one and all of them included."""
    return sorted({int(n) for n in np.linspace(1, layers, min(layers, _DEPTHS)).round()})
