"""What a reader says of an outcome becomes a report that supersedes the one before.

The worker leases an amendment as it leases a job, and the child writes
``results/JOB/revision-N/{report.dcm, bundle.json}``.
"""

from __future__ import annotations

import shutil
from base64 import b64decode
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom import dcmread

from lungflag.outcome import Finding, Outcome, Rejection
from lungflag.outputs.amendment import Amendment, Assessment
from lungflag.outputs.fhir import build_bundle
from lungflag.outputs.identity import ResultNames
from lungflag.outputs.structured_report import build_report
from lungflag.service.results import NAMES, Rendered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray
    from pydicom import Dataset

    from lungflag.package import ModelPackage
    from lungflag.service.tasks import Task


def amend(task: Task, source: Dataset, package: ModelPackage) -> tuple[Rendered, ...]:
    """Write the report that supersedes the one before, and its bundle, into the task's folder.

    Parameters
    ----------
    task : Task
        With an amendment: ``revision``, ``disagreeing`` and ``withdrawn`` (each with ``reader``,
        ``at`` and ``comment``), ``previous`` (the path of the last revision, or empty),
        ``outcome`` and ``heatmap`` as the ledger has them.
    source : Dataset
        The image's header.
    package : ModelPackage
        That made the outcome.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    said: Mapping[str, Any] = task.amendment or {}
    amendment = Amendment(
        revision=said["revision"],
        disagreeing=_assessments(said["disagreeing"]),
        withdrawn=_assessments(said["withdrawn"]),
        predecessors=_identifiers(said["previous"]),
    )
    outcome = _outcome(said, package)
    report = build_report(outcome, source, package, datetime.fromisoformat(task.at), amendment)
    folder = Path(task.folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    report.save_as(folder / NAMES["sr"], enforce_file_format=True)
    bundle = build_bundle(outcome, source, package, datetime.fromisoformat(task.at), amendment)
    (folder / NAMES["fhir"]).write_text(bundle, "utf-8")
    names = ResultNames.of(outcome, source, package)
    uid = names.uid(amendment.kind.replace("sr", "fhir", 1))
    return Rendered("sr", str(report.SOPInstanceUID)), Rendered("fhir", uid)


def _assessments(said: Iterable[Mapping[str, str]]) -> tuple[Assessment, ...]:
    return tuple(
        Assessment(one["reader"], datetime.fromisoformat(one["at"]), one["comment"]) for one in said
    )


def _identifiers(path: str) -> tuple[str, ...]:
    """Return the SOP Instance UID of the revision before, where there is one."""
    return (str(dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID),) if path else ()


def _outcome(said: Mapping[str, Any], package: ModelPackage) -> Outcome:
    fields: dict[str, Any] = dict(said["outcome"])
    common: dict[str, Any] = {"source": "", "model": package.name, "version": package.version}
    if "code" in fields:
        return Rejection(**common, **fields)
    fields["marks"] = tuple(fields["marks"])
    return Finding(
        **common, **fields, heatmap=_heatmap(said), embedding=np.zeros(0, dtype=np.float32)
    )


def _heatmap(said: Mapping[str, Any]) -> NDArray[np.float32]:
    """Return the heatmap; one without a peak where the ledger has none, as of older outcomes."""
    if not said["heatmap"]:
        return np.zeros((1, 1), dtype=np.float32)
    octets, shape = b64decode(said["heatmap"]), tuple(said["shape"])
    return np.frombuffer(octets, dtype="<f2").reshape(shape).astype(np.float32)
