"""A month of a hospital, written straight into the ledger: studies, outcomes and readings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import insert

from lungflag.package import ModelPackage, find_package
from lungflag.reference import shorten
from lungflag.service.ledger.schema import instances, jobs, outcomes, readings, studies

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from lungflag.service.ledger.database import Database

SITES = ("St. Example", "Hospital of the Sample", "")
DEVICES = (("ACME", "DR 3000"), ("ACME", "DR 9000"), ("Rays & Sons", "Mobile <i>X</i>"))
THRESHOLD = 0.2


def fill(
    database: Database,
    n: int,
    *,
    days: int = 28,
    shift: float = 0.0,
    read: float = 0.6,
    wrong: float = 0.08,
    site: str | None = None,
    seed: int = 0,
) -> None:
    """Write `n` images that look like the phantom package's reference, moved by `shift`."""
    package = ModelPackage.read(find_package("phantom"))
    reference = package.reference()
    assert reference is not None
    rng = np.random.default_rng(seed)
    # What `shorten` makes the reference's embeddings of.
    longer = np.linalg.pinv(shorten(np.eye(reference.dimension)))
    now = datetime.now(UTC)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in ("s", "i", "j", "o", "r")}
    for k in range(n):
        which = int(rng.integers(len(reference)))
        number = 1_000_000 * (seed + 1) + k
        uid = f"2.25.{number}"
        came = now - timedelta(days=float(rng.uniform(0, days)))
        done = came + timedelta(seconds=float(rng.lognormal(0.7, 0.7)))
        maker, model = DEVICES[int(rng.integers(3))]
        place = SITES[int(rng.choice(3, p=[0.6, 0.3, 0.1]))] if site is None else site
        rows["s"].append(
            {
                "study_instance_uid": uid, "patient_id": f"P{number}", "patient_name": "A^B",
                "accession_number": "", "study_date": "20261101", "priority": "MEDIUM",
                "received_at": came, "institution_name": place,
            }
        )  # fmt: skip
        rows["i"].append(
            {
                "sop_instance_uid": f"{uid}.1", "study_instance_uid": uid,
                "series_instance_uid": f"{uid}.2", "sop_class_uid": "1.2.840.10008.5.1.4.1.1.1.1",
                "transfer_syntax_uid": "1.2.840.10008.1.2.1", "modality": "DX", "sha256": "0" * 64,
                "path": "", "size": 1, "via": "test", "peer": "", "received_at": came,
                "manufacturer": maker, "device_model": model,
            }
        )  # fmt: skip
        rows["j"].append(
            {
                "id": number, "sop_instance_uid": f"{uid}.1", "package": package.name,
                "version": package.version, "priority": "MEDIUM", "received_at": came,
                "due_at": came, "done_at": done, "attempts": 1,
            }
        )  # fmt: skip
        outcome: dict[str, Any] = dict.fromkeys(
            ("probability", "flagged", "threshold", "code", "reason", "grey_mean", "grey_std",
             "embedding")
        )  # fmt: skip
        outcome |= {"job_id": number, "decided_at": done, "seconds": 0.3}
        rejected = rng.random() < 0.05
        if rejected:
            code = str(rng.choice(["lateral", "not-a-radiograph", "header"], p=[0.6, 0.3, 0.1]))
            outcome |= {"kind": "rejection", "code": code, "reason": "for tests"}
        else:
            probability = package.calibration(float(reference.logit[which]) + shift)
            outcome |= {
                "kind": "finding",
                "probability": probability,
                "flagged": probability >= THRESHOLD,
                "threshold": THRESHOLD,
                "grey_mean": float(reference.grey_mean[which]) + 0.05 * shift,
                "grey_std": float(reference.grey_std[which]),
                "embedding": ((reference.embedding[which] * (1 + 0.3 * shift)) @ longer)
                .astype("<f2")
                .tobytes(),
            }
        rows["o"].append(outcome)
        if not rejected and rng.random() < read * (1.3 if outcome["flagged"] else 0.7):
            said = rng.random()
            verdict = "disagree" if said < wrong else "unsure" if said < wrong + 0.05 else "agree"
            rows["r"].append(
                {
                    "job_id": number, "reader": "ann", "verdict": verdict, "comment": "",
                    "created_at": min(now, done + timedelta(hours=2)),
                }
            )  # fmt: skip

    def write(connection: Connection) -> None:
        for name, table in (
            ("s", studies), ("i", instances), ("j", jobs), ("o", outcomes), ("r", readings)
        ):  # fmt: skip
            if rows[name]:
                connection.execute(insert(table), rows[name])

    database.write(write)
