"""The sender: a thread a target takes what is due to it, sends it, and keeps at it."""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from dataclasses import dataclass, field
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING

from lungflag.errors import LedgerError, SpoolFullError
from lungflag.service.audit import Audit
from lungflag.service.deliver import open_target
from lungflag.service.deliver.answer import Answer, State
from lungflag.service.deliver.backoff import Backoff

if TYPE_CHECKING:
    from lungflag.service.deliver import Receiver
    from lungflag.service.ledger import Delivery, Ledger
    from lungflag.service.process import Stop
    from lungflag.service.settings import Settings, Target

_LOG = logging.getLogger(__name__)

BATCH = 8
"""Deliveries taken at a time, where they go fast."""
IDLE_SECONDS = 5.0
"""After so long without anything to send, connections are given back."""

_SHORTEST_POLL, _LONGEST_POLL = 0.05, 0.5


@dataclass(frozen=True, slots=True)
class Persistence:
    """How often and how fast a delivery is tried.

    Attributes
    ----------
    attempts : int
        After so many, a delivery that fails becomes a dead letter. Where the target is away it
        does not: that is not the delivery's fault, and it may last a weekend.
    backoff : Backoff
        The waits between the attempts at one delivery: 20 of them take about two hours.
    reach : Backoff
        The waits between the attempts to reach a target that is away.
    """

    attempts: int = 20
    backoff: Backoff = field(default_factory=Backoff)
    reach: Backoff = field(default_factory=lambda: Backoff(longest=60.0))


def send(
    settings: Settings, ledger: Ledger, stop: Stop, persistence: Persistence | None = None
) -> None:
    """Deliver to every target of the settings until `stop` is set; then finish what is at hand.

    Parameters
    ----------
    settings : Settings
        Of the service.
    ledger : Ledger
        Where deliveries come from.
    stop : Stop
        When to end.
    persistence : Persistence, optional
        How often and how fast a delivery is tried.
    """
    couriers = [
        Courier(target, settings, ledger, persistence or Persistence())
        for target in settings.targets
    ]
    threads = [
        Thread(target=courier.run, args=(stop,), name=f"lungflag-to-{target.name}")
        for courier, target in zip(couriers, settings.targets, strict=True)
    ]
    with Audit(settings, ledger, "sender").running():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


class Courier:
    """Delivers to one target. Not for more than one thread.

    Parameters
    ----------
    target : Target
        Where results go.
    settings : Settings
        Of the service.
    ledger : Ledger
        Where deliveries come from.
    persistence : Persistence
        How often and how fast a delivery is tried.
    """

    def __init__(
        self, target: Target, settings: Settings, ledger: Ledger, persistence: Persistence
    ) -> None:
        self._target = target
        self._settings = settings
        self._ledger = ledger
        self._persistence = persistence
        self._audit = Audit(settings, ledger, "sender")
        self._receiver: Receiver = open_target(target, settings)
        self._name = f"{socket.gethostname()}:{os.getpid()}:{target.name}"
        self._away = 0  # how often in a row the target could not be reached
        self._busy_at = monotonic()
        self._poll = _SHORTEST_POLL
        self._batch = 1

    def run(self, stop: Stop) -> None:
        """Deliver until `stop` is set."""
        try:
            while not stop.is_set():
                stop.wait(self._turn(stop))
        finally:
            self._receiver.release()

    def _turn(self, stop: Stop) -> float:
        """Send what is due. Return how long to wait."""
        try:
            due = self._ledger.lease_deliveries(
                self._name, self._target.name, self._batch, self._settings.lease_seconds
            )
            return self._send(due, stop) if due else self._idle()
        except (LedgerError, SpoolFullError) as error:
            _LOG.error("ledger away", extra={"target": self._target.name, "reason": str(error)})
            return _LONGEST_POLL
        except Exception:  # the thread must go on: nobody would start it again
            _LOG.exception("sender failed oddly", extra={"target": self._target.name})
            return self._persistence.reach.longest

    def _idle(self) -> float:
        if monotonic() - self._busy_at > IDLE_SECONDS:
            self._receiver.release()
        self._poll = min(1.5 * self._poll, _LONGEST_POLL)
        return self._poll

    def _send(self, due: list[Delivery], stop: Stop) -> float:
        """Send a batch, as long as the target is there. Return how long to wait."""
        started = monotonic()
        rest, pause = deque(due), 0.0
        while rest and not pause and not stop.is_set():
            delivery = rest.popleft()
            pause = self._note(delivery, self._try(delivery))
        for delivery in rest:
            self._ledger.undelivered(delivery, "", 0.0)
        self._busy_at, self._poll = monotonic(), _SHORTEST_POLL
        # As many as fit into a quarter of a lease; one, to find out whether the target is back.
        each = max(self._busy_at - started, 1e-3) / len(due)
        fit = int(self._settings.lease_seconds / 4 / each)
        self._batch = 1 if pause else max(1, min(fit, BATCH))
        return pause

    def _try(self, delivery: Delivery) -> Answer:
        try:
            return self._receiver.deliver(
                delivery, self._settings.folder.absolute() / delivery.path
            )
        except Exception as error:  # a target's oddity must not end its thread
            _LOG.exception("delivery failed oddly", extra={"delivery": delivery.id})
            return Answer(State.FAILED, f"unexpected {type(error).__name__}")

    def _note(self, delivery: Delivery, answer: Answer) -> float:
        """Enter an answer in the ledger. Return how long to leave the target alone."""
        facts = {"target": self._target.name, "delivery": delivery.id, "kind": delivery.kind}
        facts |= {"attempt": delivery.attempts, "reason": answer.reason}
        if answer.state is State.UNREACHABLE:
            self._away += 1
            pause = self._persistence.reach.seconds(self._away)
            self._ledger.undelivered(delivery, answer.in_full, pause)
            _LOG.warning("target away", extra=facts)
            return pause
        self._away = 0
        if answer.state is State.DELIVERED:
            self._delivered(delivery)
            _LOG.info("delivered", extra=facts)
        elif answer.state is State.REFUSED or delivery.attempts >= self._persistence.attempts:
            self._ledger.undelivered(delivery, answer.in_full, None)
            _LOG.error("dead letter", extra=facts)
        else:
            pause = self._persistence.backoff.seconds(delivery.attempts)
            self._ledger.undelivered(delivery, answer.in_full, pause)
            _LOG.warning("not delivered", extra=facts)
        return 0.0

    def _delivered(self, delivery: Delivery) -> None:
        """Enter an arrival, and the audit message with it."""
        instance = self._ledger.instance(delivery.sop_instance_uid)
        message = self._audit.sent(delivery, self._target, instance)
        self._ledger.delivered(delivery, audit=message)
        self._audit.copy(message)
