"""From the ledger's rows to the quality page's content."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from lungflag.outcome import CODES
from lungflag.station.quality.accuracy import FEWEST as FEWEST_READ
from lungflag.station.quality.accuracy import NOTE, accuracy
from lungflag.station.quality.document import (
    AccuracyOut,
    AgreementDay,
    AlarmOut,
    DriftOut,
    EnergyOut,
    GroupOut,
    InputOut,
    QualityOut,
    RejectionOut,
    StabilityOut,
    TurnaroundDay,
    TurnaroundOut,
)
from lungflag.station.quality.rows import MOST
from lungflag.station.quality.shares import share
from lungflag.station.quality.stability import FEWEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from lungflag.calibration import OperatingPoint
    from lungflag.package import ModelPackage
    from lungflag.reference import Reference
    from lungflag.station.quality.drift import Drift
    from lungflag.station.quality.rows import Image
    from lungflag.station.quality.stability import Stability


def summarise(
    images: Sequence[Image],
    *,
    since: datetime,
    days: int,
    site: str | None,
    device: str | None,
    package: ModelPackage,
    point: OperatingPoint,
    reference: Reference | None,
    measure: Callable[[Sequence[Image], Reference], Drift],
) -> QualityOut:
    """Return the page's content for the images of one site and device, or of all.

    The lists of sites and devices are those of all images, so that one can be chosen.
    """
    ours = [
        image
        for image in images
        if (site is None or image.site == site) and (device is None or image.device == device)
    ]
    found = accuracy(ours)
    accurate = AccuracyOut(
        **asdict(found),
        stated_sensitivity=point.sensitivity,
        stated_specificity=point.specificity,
        note=NOTE,
    )
    drift = None if reference is None else _drift(measure(ours, reference), reference)
    codes = Counter(image.code for image in ours if image.code)
    return QualityOut(
        since=_iso(since),
        days=days,
        package=package.name,
        version=package.version,
        n_images=len(ours),
        n_read=sum(image.verdict is not None for image in ours),
        n_rejected=codes.total(),
        capped=len(images) >= MOST,
        enough=FEWEST,
        agreement=list(_agreement(ours)),
        accuracy=accurate,
        drift=drift,
        rejections=[
            RejectionOut(code=code, meaning=CODES.get(code, ""), n=n, share=n / len(ours))
            for code, n in codes.most_common()
        ],
        turnaround=_turnaround(ours),
        sites=_groups(images, lambda image: image.site),
        devices=_groups(images, lambda image: image.device),
        alarms=[*_drift_alarms(drift), *_accuracy_alarms(accurate, point)],
    )


def _agreement(images: Iterable[Image]) -> Iterator[AgreementDay]:
    by_day: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for image in images:
        if image.verdict and image.read_at and image.flagged is not None:
            by_day[image.read_at.date().isoformat()][image.verdict] += 1
    for day in sorted(by_day):
        said = by_day[day]
        sure = share(said["agree"], said["agree"] + said["disagree"])
        yield AgreementDay(
            day=day,
            agree=said["agree"],
            disagree=said["disagree"],
            unsure=said["unsure"],
            share=sure.value,
            low=sure.low,
            high=sure.high,
        )


def _turnaround(images: Sequence[Image]) -> TurnaroundOut:
    by_day: defaultdict[str, list[float]] = defaultdict(list)
    for image in images:
        by_day[image.done_at.date().isoformat()].append(_seconds(image))
    p50, p95 = _percentiles([_seconds(image) for image in images]) if images else (None, None)
    per_day = []
    for day in sorted(by_day):
        middle, slow = _percentiles(by_day[day])
        per_day.append(TurnaroundDay(day=day, p50=middle, p95=slow, n=len(by_day[day])))
    return TurnaroundOut(p50=p50, p95=p95, n=len(images), per_day=per_day)


def _groups(images: Iterable[Image], name_of: Callable[[Image], str]) -> list[GroupOut]:
    """Return the groups with most images first."""
    groups: defaultdict[str, list[Image]] = defaultdict(list)
    for image in images:
        groups[name_of(image)].append(image)
    return [_group(name, groups[name]) for name in sorted(groups, key=lambda g: -len(groups[g]))]


def _group(name: str, members: Sequence[Image]) -> GroupOut:
    said = Counter(one.verdict for one in members if one.flagged is not None)
    p50, p95 = _percentiles([_seconds(one) for one in members])
    return GroupOut(
        name=name,
        n=len(members),
        flagged=sum(bool(one.flagged) for one in members),
        rejected=sum(one.code is not None for one in members),
        agree=said["agree"],
        disagree=said["disagree"],
        unsure=said["unsure"],
        p50=p50,
        p95=p95,
    )


def _seconds(image: Image) -> float:
    return max(0.0, (image.done_at - image.received_at).total_seconds())


def _percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    p50, p95 = np.percentile(seconds, (50, 95)).tolist()
    return round(p50, 3), round(p95, 3)


def _drift(drift: Drift, reference: Reference) -> DriftOut:
    return DriftOut(
        reference=reference.about,
        reference_n=len(reference),
        score=StabilityOut.model_validate(drift.score),
        input=InputOut(
            grey_mean=StabilityOut.model_validate(drift.grey_mean),
            grey_std=StabilityOut.model_validate(drift.grey_std),
        ),
        embedding=EnergyOut.model_validate(drift.embedding),
    )


def _drift_alarms(drift: DriftOut | None) -> Iterator[AlarmOut]:
    if drift is None:
        return
    if drift.score.alarm:
        yield AlarmOut(what="score", detail=f"The scores have shifted ({_words(drift.score)}).")
    for name, moved in (
        ("brightness", drift.input.grey_mean),
        ("contrast", drift.input.grey_std),
    ):
        if moved.alarm:
            detail = f"The pictures' {name} has shifted ({_words(moved)})."
            yield AlarmOut(what="input", detail=detail)
    if drift.embedding.alarm and drift.embedding.energy is not None:
        detail = (
            "What the network sees differs from the reference "
            f"(energy distance {drift.embedding.energy:.3f}, by chance below "
            f"{drift.embedding.threshold:.3f})."
        )
        yield AlarmOut(what="embedding", detail=detail)


def _words(moved: StabilityOut | Stability) -> str:
    return f"PSI {moved.psi:.2f}, {moved.n} patients"


def _accuracy_alarms(found: AccuracyOut, point: OperatingPoint) -> Iterator[AlarmOut]:
    """Yield an alarm where the whole interval lies below what the package states."""
    for what, ours, stated in (
        ("sensitivity", found.sensitivity, point.sensitivity),
        ("specificity", found.specificity, point.specificity),
    ):
        if ours.n >= FEWEST_READ and ours.high is not None and ours.high < stated:
            detail = (
                f"By the readers' word {what} is {ours.value:.2f} ({ours.low:.2f} to "
                f"{ours.high:.2f}, n={ours.n}); the package states {stated:.2f}."
            )
            yield AlarmOut.model_validate({"what": what, "detail": detail})


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
