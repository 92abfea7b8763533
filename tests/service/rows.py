"""Rows for the ledger's tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from lungflag.service.ledger import Instance, NewDelivery, OutcomeRecord

PACKAGE, VERSION = "phantom", "1.0.0"
OURS = {"package": PACKAGE, "version": VERSION}
NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)


def make_instance(n: int, *, study: int | None = None, **changes: Any) -> Instance:
    """Return the `n`-th instance, received `n` seconds after noon."""
    digest = sha256(str(n).encode()).hexdigest()
    values: dict[str, Any] = {
        "sop_instance_uid": f"1.2.3.{n}",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.1.1",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "study_instance_uid": f"1.2.2.{n if study is None else study}",
        "series_instance_uid": f"1.2.4.{n}",
        "patient_id": f"ID{n}",
        "patient_name": "Müller^Zoë=山田^太郎",
        "accession_number": f"A{n}",
        "study_date": "20260329",
        "modality": "DX",
        "sha256": digest,
        "path": f"objects/{digest[:2]}/{digest}.dcm",
        "size": 1000 + n,
        "via": "dimse",
        "peer": "XRAY1@192.0.2.7",
        "received_at": NOON + timedelta(seconds=n),
    }
    return Instance(**(values | changes))


def make_finding(*, flagged: bool = False) -> OutcomeRecord:
    """Return a finding."""
    return OutcomeRecord(
        kind="finding",
        probability=0.75 if flagged else 0.125,
        flagged=flagged,
        threshold=0.5,
        operating_point="triage",
        age_group="child",
        marks=("outside validated use: age 40 years", "contradiction: …"),
        seconds=0.25,
        decided_at=NOON,
    )


def make_rejection() -> OutcomeRecord:
    """Return a rejection."""
    return OutcomeRecord(
        kind="rejection",
        operating_point="triage",
        code="lateral",
        reason="a lateral view",
        seconds=0.25,
        decided_at=NOON,
    )


def make_deliveries(job: int, *targets: str) -> list[NewDelivery]:
    """Return report and overlay for each target."""
    return [
        NewDelivery(
            target=target, kind=kind, path=f"results/{job}/{kind}.dcm", uid=f"2.25.{job}.{kind}"
        )
        for target in targets
        for kind in ("sr", "sc")
    ]
