"""The ledger: what was received, what is to be done, what was found, what was delivered.

Tables on SQLite or PostgreSQL. Every method is one transaction that is committed when it returns.
"""

from lungflag.service.ledger.ledger import Ledger
from lungflag.service.ledger.rows import (
    Amending,
    Arrived,
    Delivery,
    Expirable,
    Figures,
    Held,
    Instance,
    Job,
    Judged,
    NewDelivery,
    OutcomeRecord,
    Queue,
    Recent,
    Said,
    Stray,
)

__all__ = [
    "Amending",
    "Arrived",
    "Delivery",
    "Expirable",
    "Figures",
    "Held",
    "Instance",
    "Job",
    "Judged",
    "Ledger",
    "NewDelivery",
    "OutcomeRecord",
    "Queue",
    "Recent",
    "Said",
    "Stray",
]
