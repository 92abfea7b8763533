"""Evidence: what was measured of a package, as it stands in the package's provenance.

``provenance["evidence"]`` is a list of `Evidence`, ``provenance["development"]`` a list of
`Development`, ``provenance["known_failures"]`` a list of sentences.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from lungflag.errors import LungflagError, PackageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from lungflag.package import ModelPackage

_METRICS = ("auroc", "auprc", "brier", "accuracy", "sensitivity", "specificity")
_CALIBRATION = ("calibration_error", "slope", "intercept")
_RATES = ("sensitivity", "specificity")
_SUBGROUP = ("auroc", "sensitivity", "specificity")


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value with its 95% interval.

    Attributes
    ----------
    value : float or None
        None where it is not defined on these images.
    low, high : float or None
        None where there is no interval.
    n : int
        The images that it is about.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One evaluation of the package, in brief.

    Attributes
    ----------
    data, split : str
        What the images are called, and their split.
    date : str
        When it was put on record, ISO 8601.
    digest : str
        Of the package as it was evaluated.
    images, patients : int
        All of them, rejected ones too.
    judged, rejected : Mapping[str, int]
        Label to the number of images.
    operating_point : str
        Where the decisions were taken.
    threshold : float
        Its threshold for anyone.
    metrics : Mapping[str, Figure]
        At that operating point; calibration error, slope and intercept are among them.
    points : Mapping[str, Mapping[str, Figure]]
        Sensitivity and specificity at every operating point that was measured.
    subgroups : Mapping[str, Mapping[str, Figure]]
        ``column = value`` to AUROC, sensitivity and specificity.
    sources : tuple[str, ...]
        The data sets that the images come from; empty where that is not known.
    shift : Mapping[str, Any]
        The shift bench in brief: severity, mean and worst drop of AUROC. Empty where not run.
    warnings : tuple[str, ...]
        Of the evaluation.
    note : str
        What else a reader has to know.
    """

    data: str
    split: str
    date: str
    digest: str
    images: int
    patients: int
    judged: Mapping[str, int]
    rejected: Mapping[str, int]
    operating_point: str
    threshold: float
    metrics: Mapping[str, Figure]
    points: Mapping[str, Mapping[str, Figure]] = field(default_factory=dict)
    subgroups: Mapping[str, Mapping[str, Figure]] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    shift: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    note: str = ""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Evidence:
        """Return what ``dataclasses.asdict`` made of one.

        Raises
        ------
        PackageError
            If it is no such record.
        """
        try:
            return cls(
                **{
                    **record,
                    "metrics": _figures(record["metrics"]),
                    "points": {k: _figures(v) for k, v in record["points"].items()},
                    "subgroups": {k: _figures(v) for k, v in record["subgroups"].items()},
                    "sources": tuple(record["sources"]),
                    "warnings": tuple(record["warnings"]),
                }
            )
        except (TypeError, KeyError, AttributeError) as error:
            raise PackageError(
                f"provenance.evidence: not a record of evidence ({error})"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Development:
    """A figure from the making of the package, on images that took part in choices.

    Attributes
    ----------
    what : str
        For example ``trained without this hospital`` or ``tuning images``.
    data : str
        What the images are called.
    images, patients : int
        How many.
    metric : str
        For example ``AUROC``.
    value : float
        The figure.
    low, high : float or None
        Its 95% interval.
    """

    what: str
    data: str
    images: int
    patients: int
    metric: str
    value: float
    low: float | None = None
    high: float | None = None


def evidence_of(package: ModelPackage) -> tuple[Evidence, ...]:
    """Return the evidence on record, in its order.

    Raises
    ------
    PackageError
        If a record is not one of evidence.
    """
    return tuple(Evidence.from_dict(one) for one in package.provenance.get("evidence", ()))


def development_of(package: ModelPackage) -> tuple[Development, ...]:
    """Return the figures from the making of the package that are on record.

    Raises
    ------
    PackageError
        If a record is none of them.
    """
    try:
        return tuple(Development(**one) for one in package.provenance.get("development", ()))
    except TypeError as error:
        raise PackageError(f"provenance.development: not such a record ({error})") from error


def read_evaluation(
    path: Path, package: ModelPackage, *, date: str, name: str = "", note: str = ""
) -> Evidence:
    """Return the evidence in a JSON file that `lungflag evaluate --json` wrote of `package`.

    Parameters
    ----------
    path : Path
        The file.
    package : ModelPackage
        What it must be about: the very package, but for evidence added since.
    date : str
        Of today, ISO 8601.
    name : str
        What to call the data; the last part of its path where none is given.
    note : str
        What else a reader has to know.

    Raises
    ------
    LungflagError
        If the file is not such a file, or is about another package.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        found = _summary(record, date=date, name=name, note=note)
        about = (record["package"]["name"], record["package"]["version"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise LungflagError(
            f"{path}: not what `lungflag evaluate --json` writes ({type(error).__name__}: {error})"
        ) from error
    known = {package.digest, *(one.digest for one in evidence_of(package))}
    if about != (package.name, package.version) or found.digest not in known:
        raise LungflagError(
            f"{path}: an evaluation of {about[0]} {about[1]} ({found.digest[:12]}), not of "
            f"{package.name} {package.version} ({package.digest[:12]}) as it is now"
        )
    return found


def add_evidence(package: ModelPackage, found: Iterable[Evidence]) -> ModelPackage:
    """Return the package with more evidence; the same data, split and point replace older ones."""
    kept = {_key(one): one for one in evidence_of(package)}
    kept |= {_key(one): one for one in found}
    return _with(package, "evidence", [asdict(one) for one in kept.values()])


def add_development(package: ModelPackage, found: Iterable[Development]) -> ModelPackage:
    """Return the package with more figures from its making."""
    return _with(
        package, "development", [asdict(one) for one in (*development_of(package), *found)]
    )


def add_failures(package: ModelPackage, sentences: Sequence[str]) -> ModelPackage:
    """Return the package with more known failures, each a sentence that a clinician understands."""
    known = package.provenance.get("known_failures", [])
    return _with(package, "known_failures", list(dict.fromkeys([*known, *sentences])))


def _with(package: ModelPackage, key: str, value: list[Any]) -> ModelPackage:
    return replace(package, provenance={**package.provenance, key: value})


def _key(one: Evidence) -> tuple[str, str, str]:
    return one.data, one.split, one.operating_point


def _summary(record: Mapping[str, Any], *, date: str, name: str, note: str) -> Evidence:
    data, point = record["data"], record["operating_point"]
    calibration = record.get("calibration") or {}
    measured = {key: record["metrics"][key] for key in _METRICS}
    measured |= {key: calibration[key] for key in _CALIBRATION if key in calibration}
    points = {
        one["name"]: {key: _figure(one["metrics"][key]) for key in _RATES}
        for one in record.get("operating_points", ())
    }
    kinds = (record.get("cohort") or {}).get("kinds", ())
    return Evidence(
        data=name or PurePath(data["path"]).name,
        split=str(data["split"]),
        date=date,
        digest=str(record["package"]["digest"]),
        images=int(data["images"]),
        patients=int(data["patients"]),
        judged={str(label): int(n) for label, n in data["judged"].items()},
        rejected={str(label): int(n) for label, n in data["rejected"].items()},
        operating_point=str(point["name"]),
        threshold=float(point["threshold"]),
        metrics={key: _figure(one) for key, one in measured.items()},
        points=points or {str(point["name"]): {k: _figure(measured[k]) for k in _RATES}},
        subgroups={
            f"{one['column']} = {one['value'] or '(empty)'}": {
                key: _figure(one["metrics"][key]) for key in _SUBGROUP
            }
            for one in record.get("subgroups", ())
        },
        sources=tuple(str(one["value"]) for one in kinds if one["column"] == "source"),
        shift=_shift(record.get("shift")),
        warnings=tuple(map(str, record.get("warnings", ()))),
        note=note,
    )


def _shift(record: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the shift bench's summary of all sources together, without its name."""
    summaries = (record or {}).get("summaries") or [{}]
    return {key: value for key, value in summaries[0].items() if key != "source"}


def _figure(one: Mapping[str, Any]) -> Figure:
    return Figure(one["value"], one["low"], one["high"], int(one["n"]))


def _figures(record: Mapping[str, Any]) -> dict[str, Figure]:
    return {key: Figure(**one) for key, one in record.items()}
