"""One radiograph under every corruption: what the detector says of each copy."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

import numpy as np
from PIL import Image

from lungflag.errors import InputError
from lungflag.evaluation.cohort import age_of
from lungflag.evaluation.shift.corruptions import CORRUPTIONS, corrupt
from lungflag.evaluation.shift.intensity import statistics
from lungflag.preprocess import Preprocess
from lungflag.quality import header as headers
from lungflag.radiograph import read_radiograph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from lungflag.data.manifest import Row
    from lungflag.detector import Detector
    from lungflag.radiograph import Radiograph

WORKING_SIDE = 512
"""Longer side, in pixels, of the copy that is corrupted. It is more than a network sees, so that
reducing it to the network's square is part of the test; a whole film would take 20 times as long
and, once reduced, show the same."""

_BATCH = 16


class Condition(NamedTuple):
    """A corruption at a severity; the severity is None where there is none."""

    corruption: str
    severity: int | None = None


CLEAN = Condition("clean")


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What the detector says of one radiograph under c conditions, the first of them `CLEAN`.

    Attributes
    ----------
    row : Row
        The manifest's row.
    probability : NDArray[np.float64]
        Shape (c,). Calibrated probability of pneumonia, NaN where the copy was rejected.
    threshold : float
        From which probability the radiograph is flagged. NaN where it could not be read.
    codes : tuple[str, ...]
        Of each condition: the code of the rejection, or empty where it was judged.
    reason : str
        Why the clean image was rejected, else empty.
    embedding : NDArray[np.float32]
        The network's feature vector of the clean image, shape (d,); empty where it was rejected.
    statistics : NDArray[np.float64]
        `lungflag.evaluation.shift.intensity.statistics` of the clean image; empty likewise.
    """

    row: Row
    probability: NDArray[np.float64]
    threshold: float
    codes: tuple[str, ...]
    reason: str
    embedding: NDArray[np.float32]
    statistics: NDArray[np.float64]


def conditions(corruptions: Sequence[str], severities: Sequence[int]) -> tuple[Condition, ...]:
    """Return `CLEAN` and each corruption at each severity, or once where it has no severities."""
    return (
        CLEAN,
        *(
            Condition(name, severity)
            for name in corruptions
            for severity in (severities if CORRUPTIONS[name].graded else (None,))
        ),
    )


def judge_all(
    detector: Detector,
    rows: Sequence[Row],
    under: Sequence[Condition],
    *,
    operating_point: str,
    jobs: int,
    seed: int,
    advance: Callable[[], object],
) -> Iterator[Judged]:
    """Yield what the detector says of every row, in order; no image stops the others."""

    def work(row: Row) -> Judged:
        return judge(detector, row, under, operating_point=operating_point, seed=seed)

    with ThreadPoolExecutor(jobs, thread_name_prefix="lungflag-shift") as pool:
        for judged in pool.map(work, rows):
            advance()
            yield judged


def judge(
    detector: Detector,
    row: Row,
    under: Sequence[Condition],
    *,
    operating_point: str,
    seed: int,
) -> Judged:
    """Read one image, corrupt it in every way, and ask the detector.

    The header is taken into account once; gate, preprocessing and network see each copy.
    """
    try:
        radiograph = read_radiograph(row.path, minimum_side=WORKING_SIDE)
        headers.check_header(radiograph.header, radiograph.source)
        if not np.isfinite(radiograph.pixels).all():
            raise InputError(radiograph.source, "holds pixels that are not finite")
    except InputError as error:
        return _rejected(row, under, error)
    grey = working_copy(radiograph.pixels)
    draw = (seed << 32) + crc32(row.path.name.encode())
    copies = [_under(grey, condition, draw) for condition in under]
    refused = [_refusal(detector, radiograph, copy) for copy in copies]
    squares = np.stack([_square(detector.package.preprocess, copy) for copy in copies])
    logit, embedding = _infer(detector, squares)
    for index in np.flatnonzero(~np.isfinite(logit)):
        reason = "the network's answer is not finite"
        refused[index] = refused[index] or InputError(radiograph.source, reason, code="no-answer")
    calibrate = detector.package.calibration
    return Judged(
        row=row,
        probability=np.array(
            [np.nan if no else calibrate(float(z)) for no, z in zip(refused, logit, strict=True)]
        ),
        threshold=_threshold(detector, radiograph, row, operating_point),
        codes=tuple(no.code if no else "" for no in refused),
        reason=refused[0].reason if refused[0] else "",
        embedding=embedding[0] if refused[0] is None else embedding[0, :0],
        statistics=statistics(squares[0]) if refused[0] is None else np.empty(0),
    )


def working_copy(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return `pixels`, 0 to 1, as bytes, the longer side reduced to `WORKING_SIDE` if longer."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    share = WORKING_SIDE / max(image.size)
    if share < 1:
        size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
        image = image.resize(size, Image.Resampling.BILINEAR)
    grey: NDArray[np.uint8] = np.rint(np.asarray(image) * 255).clip(0, 255).astype(np.uint8)
    return grey


def _under(grey: NDArray[np.uint8], condition: Condition, seed: int) -> NDArray[np.uint8]:
    if condition == CLEAN:
        return grey
    return corrupt(condition.corruption, grey, condition.severity or 1, seed)


def _square(preprocess: Preprocess, grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return preprocess(grey.astype(np.float32) / np.float32(255))


def _refusal(
    detector: Detector, radiograph: Radiograph, grey: NDArray[np.uint8]
) -> InputError | None:
    """Return why the detector may not judge this copy, or None."""
    if grey.min() == grey.max():
        return InputError(radiograph.source, "blank: all pixels are equal", code="blank")
    if detector.gate is None:
        return None
    how = detector.gate.settings
    square = _square(Preprocess(how.size, how.low, how.high), grey)
    try:
        detector.gate.check(square, radiograph.pixels.shape, radiograph.source)
    except InputError as error:
        return error
    return None


def _threshold(detector: Detector, radiograph: Radiograph, row: Row, name: str) -> float:
    """Return the threshold for the age that the header states, or else the manifest."""
    stated = headers.age_in_years(radiograph.header)
    group = headers.age_group(age_of(row) if stated is None else stated)
    return detector.package.operating_point(name, group).threshold


def _infer(
    detector: Detector, squares: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    parts = [
        detector.infer(squares[start : start + _BATCH, None])
        for start in range(0, len(squares), _BATCH)
    ]
    return np.concatenate([part[0] for part in parts]), parts[0][2]


def _rejected(row: Row, under: Sequence[Condition], error: InputError) -> Judged:
    return Judged(
        row=row,
        probability=np.full(len(under), np.nan),
        threshold=float("nan"),
        codes=(error.code,) * len(under),
        reason=error.reason,
        embedding=np.empty(0, np.float32),
        statistics=np.empty(0),
    )
