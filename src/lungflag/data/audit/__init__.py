"""The audit of a data set: what in it would make a model's figures untrue."""

from __future__ import annotations

from lungflag.data.audit.measure import FEATURES
from lungflag.data.audit.report import prepare_report, write_report
from lungflag.data.audit.result import Audit, audit_manifest

__all__ = ["FEATURES", "Audit", "audit_manifest", "prepare_report", "write_report"]
