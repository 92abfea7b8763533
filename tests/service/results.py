"""Real results of phantoms, and a ledger that holds deliveries of them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydicom import Dataset

from lungflag.detector import Detector
from lungflag.outcome import Finding
from lungflag.phantom import make_phantom, to_dicom
from lungflag.radiograph import read_radiograph
from lungflag.service.ledger import Instance, NewDelivery, OutcomeRecord
from lungflag.service.render import render
from lungflag.service.results import NAMES, publish

if TYPE_CHECKING:
    from pathlib import Path

    from lungflag.service.ledger import Delivery, Ledger
    from lungflag.service.results import Rendered
    from lungflag.service.settings import Settings

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Made:
    """The results of one phantom.

    Attributes
    ----------
    source : Dataset
        The phantom as a DICOM object.
    finding : Finding
        What was found.
    folder : Path
        Where the results lie.
    rendered : tuple[Rendered, ...]
        What they are.
    """

    source: Dataset
    finding: Finding
    folder: Path
    rendered: tuple[Rendered, ...]


def make_results(folder: Path, seed: int = 3) -> Made:
    """Judge a phantom and write its results to `folder`."""
    source = to_dicom(make_phantom(seed, pneumonia=True, size=192))
    radiograph = read_radiograph(source)
    detector = Detector.load("phantom", threads=1)
    finding = detector.detect(radiograph)
    scratch = folder / "1" / "1.tmp"
    rendered = render(finding, source, radiograph, detector.package, AT, scratch)
    return Made(source, finding, publish(scratch), rendered)


def enter(ledger: Ledger, settings: Settings, made: Made, number: int = 1) -> None:
    """Enter `made` as the outcome of an instance `number`, to be delivered to all targets."""
    source = made.source
    instance = Instance(
        sop_instance_uid=f"{source.SOPInstanceUID}.{number}",
        sop_class_uid=source.SOPClassUID,
        transfer_syntax_uid=source.file_meta.TransferSyntaxUID,
        study_instance_uid=source.StudyInstanceUID,
        series_instance_uid=source.SeriesInstanceUID,
        patient_id=source.PatientID,
        patient_name=str(source.PatientName),
        accession_number=source.AccessionNumber,
        study_date="",
        modality="DX",
        sha256="",
        path="",
        size=0,
        via="dimse",
        peer="",
        received_at=AT,
    )
    model = {"package": made.finding.model, "version": made.finding.version}
    ledger.receive(instance, **model, priority="MEDIUM")
    (job,) = ledger.lease_jobs("test", **model, n=1, seconds=60)
    folder = settings.folder / "results" / str(job.id) / "1"
    shutil.copytree(made.folder, folder)
    record = OutcomeRecord(
        kind="finding",
        probability=made.finding.probability,
        flagged=made.finding.flagged,
        decided_at=AT,
    )
    deliveries = [
        NewDelivery(
            target=target.name,
            kind=one.kind,
            path=str((folder / NAMES[one.kind]).relative_to(settings.folder)),
            uid=one.uid,
        )
        for target in settings.targets
        for one in made.rendered
        if one.kind in target.send
    ]
    assert ledger.complete(job, record, deliveries)


def deliveries_to(ledger: Ledger, target: str) -> list[Delivery]:
    """Take everything that is due to a target."""
    return [replace(one, error="") for one in ledger.lease_deliveries("test", target, 100, 60)]
