"""The worker's second task: reports that say what readers think of an outcome."""

from __future__ import annotations

import logging
from base64 import b64encode
from time import monotonic
from typing import TYPE_CHECKING

from lungflag.service.judge import ChildLostError
from lungflag.service.ledger import NewDelivery
from lungflag.service.results import NAMES, publish
from lungflag.service.tasks import PLAIN, Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from lungflag.service.judge import Judge
    from lungflag.service.ledger import Amending, Instance, Ledger, Said
    from lungflag.service.settings import Settings
    from lungflag.service.tasks import Reply

_LOG = logging.getLogger(__name__)

_EVERY = 0.5  # seconds between looks: readers are people
_LONGEST_PAUSE = 60.0


class Amender:
    """Makes superseding reports, one at a time, with the worker's child.

    Parameters
    ----------
    settings : Settings
        Of the service.
    ledger : Ledger
        Where amendments come from, and deliveries go.
    judge : Judge
        The child. Nothing else may be at it.
    worker, package, version : str
        Who works, and for which model package.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        judge: Judge,
        *,
        worker: str,
        package: str,
        version: str,
    ) -> None:
        self._settings, self._ledger, self._judge = settings, ledger, judge
        self._us = (worker, package, version)
        self._due_at = 0.0

    def turn(self) -> bool:
        """Make one report, if one is due. Return whether there was any."""
        if monotonic() < self._due_at:
            return False
        amending = self._ledger.lease_amendment(*self._us, self._settings.lease_seconds)
        if amending is None:
            self._due_at = monotonic() + _EVERY
            return False
        try:
            self._judge.start()
            instance = self._ledger.instance(amending.sop_instance_uid)
            self._judge.put(self._task(amending, instance))
            self._enter(amending, instance, self._judge.take(lambda: None))
        except ChildLostError as lost:
            self._give_up(amending, lost.reason)
        return True

    def _task(self, amending: Amending, instance: Instance) -> Task:
        folder, outcome = self._folder(amending), amending.outcome
        previous = folder.with_name(f"revision-{amending.revision - 1}") / NAMES["sr"]
        return Task(
            number=amending.id,
            path=str(self._settings.folder.absolute() / instance.path),
            folder=str(folder.with_suffix(".tmp")),
            at=(amending.undone_at or amending.created_at).isoformat(),
            known=known(instance),
            source="row" if amending.attempts > self._settings.attempts else "header",
            raster=instance.is_raster,
            amendment={
                "revision": amending.revision,
                "disagreeing": [_plain(one) for one in amending.disagreeing],
                "withdrawn": [_plain(one) for one in amending.withdrawn],
                "previous": str(previous) if previous.is_file() else "",
                "outcome": {name: getattr(outcome, name) for name in PLAIN[outcome.kind]},
                "heatmap": b64encode(outcome.heatmap or b"").decode(),
                "shape": [outcome.heatmap_rows, outcome.heatmap_columns],
            },
        )

    def _folder(self, amending: Amending) -> Path:
        results = self._settings.folder.absolute() / "results" / str(amending.job_id)
        return results / f"revision-{amending.revision}"

    def _enter(self, amending: Amending, instance: Instance, reply: Reply) -> None:
        error = reply.error
        if not error:
            try:
                publish(self._folder(amending).with_suffix(".tmp"))
            except OSError as failed:
                error = f"results cannot be written ({failed.strerror or failed})"
        if error:
            self._give_up(amending, error)
            return
        due = [] if instance.is_raster else list(self._deliveries(amending, reply))
        if self._ledger.complete_amendment(amending, due):
            _LOG.info("amended", extra={"job": amending.job_id, "revision": amending.revision})

    def _deliveries(self, amending: Amending, reply: Reply) -> Iterator[NewDelivery]:
        folder = self._folder(amending).relative_to(self._settings.folder.absolute())
        for target in self._settings.targets:
            for result in reply.rendered:
                if result.kind in target.send:
                    path = str(folder / NAMES[result.kind])
                    yield NewDelivery(
                        target=target.name, kind=result.kind, path=path, uid=result.uid
                    )

    def _give_up(self, amending: Amending, reason: str) -> None:
        pause = min(_LONGEST_PAUSE, 0.5 * 2.0 ** min(amending.attempts, 10))
        self._ledger.give_back_amendment(amending, reason, pause)
        facts = {"job": amending.job_id, "attempt": amending.attempts, "reason": reason}
        _LOG.warning("amendment failed", extra=facts)


def known(row: Instance) -> dict[str, str]:
    """Return what the ledger knows of an instance, by DICOM keyword."""
    return {
        "SOPClassUID": row.sop_class_uid,
        "SOPInstanceUID": row.sop_instance_uid,
        "StudyInstanceUID": row.study_instance_uid,
        "SeriesInstanceUID": row.series_instance_uid,
        "PatientID": row.patient_id,
        "PatientName": row.patient_name,
        "AccessionNumber": row.accession_number,
        "StudyDate": row.study_date,
        "Modality": row.modality,
    }


def _plain(said: Said) -> Mapping[str, str]:
    return {"reader": said.reader, "at": said.at.isoformat(), "comment": said.comment}
