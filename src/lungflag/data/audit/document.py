"""An audit as plain JSON values; docs/audit.md describes every key."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from lungflag.data.audit.concerns import SHORTCUT_AUC, concerns, verdict
from lungflag.data.audit.duplicates import NEAR

if TYPE_CHECKING:
    from lungflag.data.audit.duplicates import DuplicateGroup
    from lungflag.data.audit.result import Audit
    from lungflag.data.manifest import Row

SCHEMA = 1


def document(audit: Audit) -> dict[str, Any]:
    """Return everything that an audit found, as plain JSON values."""
    found = concerns(audit)
    return {
        "schema": SCHEMA,
        "lungflag": version("lungflag"),
        "verdict": verdict(audit),
        "needs_person": any(concern.needs_person for concern in found),
        "images": len(audit.manifest),
        "readable": len(audit.measured),
        "patients": audit.patients,
        "thresholds": {"near_correlation": NEAR, "shortcut_auc": SHORTCUT_AUC},
        "concerns": [asdict(concern) for concern in found],
        "unreadable": [{**_row(one.row), "reason": one.reason} for one in audit.unreadable],
        "exact_duplicates": [_group(group) for group in audit.exact],
        "near_duplicates": [_group(group) for group in audit.near],
        "patient_overlaps": [[_row(row) for row in one.rows] for one in audit.overlaps],
        "balance": [asdict(one) for one in audit.balance],
        "sizes": [asdict(one) for one in audit.sizes],
        "probes": [asdict(probe) for probe in audit.probes],
        "combined_probe": asdict(audit.combined) if audit.combined else None,
    }


def _group(group: DuplicateGroup) -> dict[str, Any]:
    return {"correlation": group.correlation, "files": [_row(row) for row in group.rows]}


def _row(row: Row) -> dict[str, str]:
    return {
        "path": str(row.path),
        "label": row.label,
        "patient": row.patient,
        "split": row.split,
        "source": row.source,
    }
