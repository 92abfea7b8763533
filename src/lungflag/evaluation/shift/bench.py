"""The shift bench itself: sample, judge, measure."""

from __future__ import annotations

from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING

import numpy as np

from lungflag.errors import LungflagError, ManifestError
from lungflag.evaluation.shift.corruptions import CORRUPTIONS, SEVERITIES
from lungflag.evaluation.shift.figures import Bootstrap, shift_row, subtype_rows, summarise
from lungflag.evaluation.shift.judge import conditions, judge_all
from lungflag.evaluation.shift.probes import hospital_rows, label_by_hospital, shortcut_row
from lungflag.evaluation.shift.result import ShiftResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lungflag.data.manifest import Manifest, Row
    from lungflag.detector import Detector
    from lungflag.evaluation.shift.judge import Judged

LIMIT = 200
RESAMPLES = 1000
SUBTYPE = "subtype"


def run_shift(
    detector: Detector,
    manifest: Manifest,
    *,
    corruptions: Sequence[str] = tuple(CORRUPTIONS),
    severities: Sequence[int] = SEVERITIES,
    limit: int | None = LIMIT,
    by: str = SUBTYPE,
    operating_point: str | None = None,
    jobs: int = 1,
    resamples: int = RESAMPLES,
    seed: int = 0,
    advance: Callable[[], object] = lambda: None,
) -> ShiftResult:
    """Measure how a detector's figures change when radiographs are corrupted.

    Corruptions act on the radiograph's own pixels (reduced to a longer side of `WORKING_SIDE` if
    that is longer), before gate, preprocessing and network.

    Parameters
    ----------
    detector : Detector
        The index test. Load it with ``threads=1`` where `jobs` is above 1.
    manifest : Manifest
        The images and their reference standard.
    corruptions : Sequence[str]
        Names of `CORRUPTIONS`.
    severities : Sequence[int]
        Of 1 to 5.
    limit : int or None
        At most so many images, see `choose_sample`; None takes all.
    by : str
        The manifest's column of the subtypes of pneumonia.
    operating_point : str, optional
        The package's default if not given.
    jobs : int
        Images worked on at once, in threads.
    resamples, seed : int
        Of the bootstrap; `seed` is that of sample and corruptions too.
    advance : Callable
        Called after each image of the sample, for a progress bar.

    Raises
    ------
    LungflagError
        If there is no such corruption or severity, or `limit` is below 1.
    ManifestError
        If every image was rejected.
    PackageError
        If the package has no such operating point.
    MissingExtraError
        Without the extra ``evidence``.
    """
    _check(corruptions, severities)
    point = detector.package.operating_point(operating_point).name
    sample = choose_sample(manifest, limit, seed)
    under = conditions(list(dict.fromkeys(corruptions)), sorted(set(severities)))
    judged = list(
        judge_all(
            *(detector, sample.rows, under),
            operating_point=point,
            jobs=jobs,
            seed=seed,
            advance=advance,
        )
    )
    rejected = tuple((str(one.row.path), one.reason) for one in judged if one.codes[0])
    if len(rejected) == len(judged):
        raise ManifestError(
            f"none of {len(judged)} images could be judged; the first, {': '.join(rejected[0])}"
        )
    bootstrap = Bootstrap(resamples, seed)
    groups = _by_source(judged)
    rows = tuple(
        shift_row(group, index, condition, source, bootstrap)
        for source, group in groups.items()
        for index, condition in enumerate(under)
    )
    return ShiftResult(
        rows=rows,
        summaries=tuple(summarise(rows, source) for source in groups),
        subtypes=tuple(
            chain.from_iterable(
                subtype_rows(group, by, source, bootstrap) for source, group in groups.items()
            )
        ),
        shortcuts=tuple(shortcut_row(group, source) for source, group in groups.items()),
        hospitals=hospital_rows(judged),
        label_by_hospital=label_by_hospital(manifest),
        operating_point=point,
        images=len(sample),
        patients=len({row.patient_key for row in sample}),
        available=len(manifest),
        rejected=rejected,
        resamples=resamples,
        seed=seed,
    )


def choose_sample(manifest: Manifest, limit: int | None, seed: int) -> Manifest:
    """Return at most `limit` images, as evenly as possible over every source and label.

    Within a source and label, images of patients who are not in the sample yet come first. The
    sample of a smaller limit is part of that of a larger one. Rows keep the manifest's order.

    Raises
    ------
    LungflagError
        If `limit` is below 1.
    """
    if limit is None:
        return manifest
    if limit < 1:
        raise LungflagError(f"a sample of {limit} images: at least 1 is needed")
    rng = np.random.default_rng(seed)
    strata: dict[tuple[str, str], list[Row]] = {}
    for row in manifest:
        strata.setdefault((row.source, row.label), []).append(row)
    drawn = [
        _patients_first([rows[index] for index in rng.permutation(len(rows))])
        for _, rows in sorted(strata.items())
    ]
    in_turn = (row for turn in zip_longest(*drawn) for row in turn if row is not None)
    chosen = {row.path for row in islice(in_turn, limit)}
    return manifest.where(lambda row: row.path in chosen)


def _patients_first(rows: Iterable[Row]) -> list[Row]:
    """Put the first image of every patient first, then the second of each, and so on."""
    times: dict[tuple[str, str], int] = {}
    ranked = []
    for row in rows:
        times[row.patient_key] = times.get(row.patient_key, -1) + 1
        ranked.append((times[row.patient_key], row))
    return [row for _, row in sorted(ranked, key=lambda pair: pair[0])]


def _by_source(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    """Return all images under the empty name, then each source's where there are several."""
    sources = sorted({one.row.source for one in judged})
    groups = {"": list(judged)}
    if len(sources) > 1:
        for source in sources:
            groups[source or "(none)"] = [one for one in judged if one.row.source == source]
    return groups


def _check(corruptions: Sequence[str], severities: Sequence[int]) -> None:
    for name in corruptions:
        if name not in CORRUPTIONS:
            raise LungflagError(f"no corruption {name!r}; there are {', '.join(CORRUPTIONS)}")
    for severity in severities:
        if severity not in SEVERITIES:
            raise LungflagError(f"severity {severity} is not 1 to {SEVERITIES[-1]}")
