"""What the station's routes work with, handed to them when the application is put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lungflag.package import ModelPackage
    from lungflag.service.intake import Intake
    from lungflag.service.ledger import Ledger
    from lungflag.service.metrics import Metrics
    from lungflag.service.settings import Settings
    from lungflag.service.spool import Spool
    from lungflag.station.security.audit import StationAudit


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The parts of the service that the station stands on.

    Attributes
    ----------
    settings : Settings
        Of the service.
    ledger : Ledger
        Safe to share between threads; its `database` is for the station's own transactions.
    spool : Spool
        Where received objects lie.
    package : ModelPackage
        That judges here.
    audit : StationAudit
        The audit trail.
    intake : Intake
        The door for uploaded objects.
    metrics : Metrics
        Of this process.
    """

    settings: Settings
    ledger: Ledger
    spool: Spool
    package: ModelPackage
    audit: StationAudit
    intake: Intake
    metrics: Metrics
