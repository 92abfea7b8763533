"""GateSettings: everything about a quality gate that is not in its graph."""

from __future__ import annotations

from dataclasses import dataclass

from lungflag.errors import PackageFormatError

KINDS = (
    "frontal",
    "inverted",
    "rotated-90",
    "rotated-180",
    "rotated-270",
    "lateral",
    "cropped",
    "blank",
    "other",
)
"""What the gate's graph tells apart, in the order of its output. Only the first is judged."""


@dataclass(frozen=True, slots=True)
class GateSettings:
    """How a picture comes to the gate's graph, and which answers pass.

    Attributes
    ----------
    size : int
        Side of the square in pixels that the graph takes.
    low, high : float
        Percentiles of its grey scale, as in `lungflag.preprocess.Preprocess`.
    smallest_side : int
        A radiograph with fewer rows or columns is too small.
    longest_shape : float
        A radiograph whose longer side is more than this many times the shorter one is no whole
        chest.
    frontal : float
        The least probability of the kind ``frontal`` that passes.
    familiar : float
        The distance from the films of the validated hospitals beyond which a film is marked.
    far : float
        The distance beyond which it is rejected.

    Raises
    ------
    PackageFormatError
        If a field is out of range.
    """

    size: int
    low: float
    high: float
    smallest_side: int
    longest_shape: float
    frontal: float
    familiar: float
    far: float

    def __post_init__(self) -> None:
        fine = (
            8 <= self.size <= 4096
            and 0 <= self.low < self.high <= 100
            and 1 <= self.smallest_side <= 4096
            and self.longest_shape >= 1
            and 0 <= self.frontal <= 1
            and 0 < self.familiar <= self.far < float("inf")
        )
        if not fine:
            raise PackageFormatError("gate: a setting is out of range")
