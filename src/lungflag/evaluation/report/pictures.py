"""The report's radiographs: the hardest ones with their heatmaps, and those that were rejected."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lungflag.errors import InputError
from lungflag.radiograph import read_radiograph

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lungflag.detector import Detector
    from lungflag.evaluation.predictions import Prediction
    from lungflag.outcome import Finding
    from lungflag.radiograph import Radiograph

    Draw = Callable[[Radiograph, Finding], Image.Image]

REJECTED_SHOWN = 24

_SIDE, _SMALL_SIDE = 480, 220  # pixels of the longer side


@dataclass(frozen=True, slots=True)
class Shot:
    """One radiograph of the report, as data URIs.

    Attributes
    ----------
    prediction : Prediction
        Whose it is.
    film : str
        The radiograph; empty where it cannot be shown.
    heatmap : str
        The same with the heatmap over it; empty where there is none.
    """

    prediction: Prediction
    film: str = ""
    heatmap: str = ""


def hardest_shots(
    detector: Detector,
    hardest: Mapping[str, Sequence[Prediction]],
    draw: Draw,
    *,
    operating_point: str,
) -> dict[str, list[Shot]]:
    """Judge a few radiographs again and draw each while its heatmap is at hand.

    Parameters
    ----------
    detector : Detector
        The index test.
    hardest : Mapping[str, Sequence[Prediction]]
        Label to judged images.
    draw : callable
        Returns the film with the heatmap of a finding over it.
    operating_point : str
        As it was when they were judged first.
    """
    drawn: dict[str, tuple[str, str]] = {}

    def keep(radiograph: Radiograph, finding: Finding) -> None:
        bare = replace(finding, heatmap=np.zeros_like(finding.heatmap))
        drawn[finding.source] = (
            _uri(draw(radiograph, bare), _SIDE),
            _uri(draw(radiograph, finding), _SIDE),
        )

    paths = [one.row.path for group in hardest.values() for one in group]
    for _ in detector.detect_many(paths, operating_point=operating_point, on_finding=keep):
        pass
    return {
        label: [Shot(one, *drawn.get(str(one.row.path), ())) for one in group]
        for label, group in hardest.items()
    }


def rejected_shots(rejected: Sequence[Prediction]) -> list[Shot]:
    """Show the first rejected images of every code in turn, where they can be read at all."""
    by_code: dict[str, list[Prediction]] = {}
    for one in rejected:
        by_code.setdefault(one.code, []).append(one)
    rounds = max(map(len, by_code.values()), default=0)
    in_turn = [group[i] for i in range(rounds) for group in by_code.values() if i < len(group)]
    return [Shot(one, _readable(one)) for one in in_turn[:REJECTED_SHOWN]]


def _readable(one: Prediction) -> str:
    try:
        pixels = read_radiograph(one.row.path, minimum_side=_SMALL_SIDE).pixels
    except InputError:
        return ""
    grey = np.rint(np.nan_to_num(pixels) * 255).clip(0, 255).astype(np.uint8)
    return _uri(Image.fromarray(grey), _SMALL_SIDE)


def _uri(image: Image.Image, side: int) -> str:
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=82, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
