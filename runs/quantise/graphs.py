"""Int8 versions of a package's graphs, by ONNX Runtime's static quantisation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import onnx
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.calibrate import CalibrationDataReader
from onnxruntime.quantization.shape_inference import quant_pre_process

if TYPE_CHECKING:
    from numpy.typing import NDArray

CALIBRATORS = {
    "minmax": CalibrationMethod.MinMax,
    "percentile": CalibrationMethod.Percentile,
    "entropy": CalibrationMethod.Entropy,
}
_STEP = 8  # histograms keep what they have seen since the last step in memory


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one int8 graph is made: its calibrator and what stays in 32 bits."""

    calibrator: str = "minmax"
    in_floats: tuple[str, ...] = ()  # of: first, depthwise, last, early
    seven_bits: bool = False  # for CPUs without VNNI, whose 16-bit sums overflow

    @property
    def name(self) -> str:
        return " ".join(
            [
                self.calibrator,
                *(f"-{part}" for part in self.in_floats),
                *(["7 bits"] if self.seven_bits else []),
            ]
        )


class _Films(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, films: NDArray[Any]) -> None:
        self._films = films
        self.set_range(0, len(films))

    def __len__(self) -> int:
        return len(self._films)

    def set_range(self, start_index: int, end_index: int) -> None:
        self._rest = iter(range(start_index, end_index))

    def get_next(self) -> dict[str, Any] | None:
        row = next(self._rest, None)
        return None if row is None else {"pixels": self._films[row : row + 1]}


def prepared(graph: bytes) -> bytes:
    """Return the graph folded and fused, as the quantiser wants it."""
    with TemporaryDirectory() as scratch:
        before, after = Path(scratch) / "before.onnx", Path(scratch) / "after.onnx"
        before.write_bytes(graph)
        quant_pre_process(str(before), str(after), skip_symbolic_shape=True)
        return after.read_bytes()


def quantised(graph: bytes, films: NDArray[Any], recipe: Recipe, ranges: Path) -> bytes:
    """Return the int8 graph of what `prepared` returned, calibrated on squares."""
    options: dict[str, Any] = {"ActivationSymmetric": False, "WeightSymmetric": True}
    if recipe.calibrator != "minmax":
        options |= {"CalibStridedMinMax": _STEP, "CalibPercentile": 99.99}
    ranges.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        out = Path(scratch) / "int8.onnx"
        quantize_static(
            onnx.load_from_string(graph),
            str(out),
            _Films(films),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Clip", "Add"],
            per_channel=True,
            reduce_range=recipe.seven_bits,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_in_floats(onnx.load_from_string(graph), recipe.in_floats),
            calibrate_method=CALIBRATORS[recipe.calibrator],
            calibration_cache_path=str(ranges / f"{recipe.calibrator}.json"),
            extra_options=options,
        )
        return out.read_bytes()


def _in_floats(model: Any, parts: tuple[str, ...]) -> list[str]:
    """Return the nodes that `parts` name, and all after the backbone, the heatmap's among them."""
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    order = {node.name: n for n, node in enumerate(model.graph.node)}
    last = order[convolutions[-1].name] + 1  # its activation may follow
    kept = [node.name for node in model.graph.node if order[node.name] > last]
    chosen = {
        "first": convolutions[:1],
        "early": convolutions[:8],
        "last": convolutions[-1:],
        "depthwise": [c for c in convolutions if _groups(c) > 1],
    }
    names = {node.name for part in parts for node in chosen[part]}
    after = {n.output[0] for n in model.graph.node if n.name in names}
    clips = [
        n.name for n in model.graph.node if n.op_type in ("Clip", "Relu") and n.input[0] in after
    ]
    return [*kept, *names, *clips]


def _groups(node: Any) -> int:
    return next((a.i for a in node.attribute if a.name == "group"), 1)
