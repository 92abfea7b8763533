"""Storage commitment, push model (PS3.4, annex J): what is safe here, said to those who ask.

The report goes out on an association of its own, to an address that the settings name.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from queue import Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, cast

from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_role, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from lungflag.errors import LedgerError
from lungflag.service.intake import SOP_CLASSES
from lungflag.service.requestor import Requestor

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from pathlib import Path

    from pynetdicom.dimse_primitives import N_ACTION

    from lungflag.package import ModelPackage
    from lungflag.service.ledger import Ledger

ATTEMPTS = 3
"""How often a report is sent before it is given up: a sender that cares asks again."""

STATUSES = {
    0x0000: "The request is taken; the report follows.",
    0x0112: "The instance of the request is not the well-known one.",
    0x0115: "The request has no Transaction UID, or references nothing or too much.",
    0x0123: "The action is not the request for storage commitment.",
    0x0124: "The settings name no address for the reports to this AE title.",
}
"""Status of an N-ACTION response to its meaning."""

FAILURE_REASONS = {
    0x0110: "The ledger is away.",
    0x0112: "The instance was never received, or its pixels are deleted already.",
    0x0119: "The instance was received with another SOP class.",
    0x0122: "Objects of that SOP class are not taken.",
}
"""Failure Reason (0008,1197) of an instance in a report to its meaning (PS3.3, C.14.1.1)."""

_SYNTAXES: list[str | UID] = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
_MOST = 10_000  # instances of one request
_SECONDS = 30
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Request:
    title: str
    wanted: Dataset


class StorageCommitment:
    """Answers requests for storage commitment, and sends the reports from a thread of its own.

    An instance is committed if its row is in the ledger and its file on the disk. This is no
    archive: pixels are kept as long as the setting `keep_days` says.

    Parameters
    ----------
    ledger : Ledger
        Where the instances are.
    package : ModelPackage
        What judges them.
    folder : Path
        The service's folder.
    ae_title : str
        Of the node.
    peers : Mapping[str, tuple[str, int]]
        AE title of a sender to the host and port where it takes reports.
    tls : ssl.SSLContext, optional
        For the associations of the reports.
    pause : float
        Seconds between two attempts to send a report.
    """

    def __init__(
        self,
        ledger: Ledger,
        package: ModelPackage,
        folder: Path,
        *,
        ae_title: str,
        peers: Mapping[str, tuple[str, int]],
        tls: ssl.SSLContext | None = None,
        pause: float = 10.0,
    ) -> None:
        self._ledger, self._package, self._folder = ledger, package, folder
        self._peers, self._tls, self._pause = peers, tls, pause
        self._entity = Requestor(ae_title, connect_seconds=_SECONDS, answer_seconds=_SECONDS)
        self._entity.add_requested_context(StorageCommitmentPushModel, _SYNTAXES)
        self._requests: Queue[_Request | None] = Queue()
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="storage commitment")

    @property
    def alive(self) -> bool:
        """Whether it sends reports."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Send reports, until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """Send no more reports. Whoever misses one asks again."""
        self._stopping.set()
        self._requests.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def request(self, event: evt.Event) -> tuple[int, None]:
        """Answer an N-ACTION request."""
        action, wanted = cast("N_ACTION", event.request), event.action_information
        title = event.assoc.requestor.ae_title.strip()
        references = wanted.get("ReferencedSOPSequence") or []
        if action.RequestedSOPInstanceUID != StorageCommitmentPushModelInstance:
            return 0x0112, None
        if event.action_type != 1:
            return 0x0123, None
        if title not in self._peers:
            return 0x0124, None
        if not wanted.get("TransactionUID") or not 1 <= len(references) <= _MOST:
            return 0x0115, None
        self._requests.put(_Request(title, wanted))
        return 0x0000, None

    def _content(self, wanted: Dataset) -> Dataset:
        """Return the event information: each instance as committed or as failed, with why."""
        content = Dataset()
        content.TransactionUID = wanted.TransactionUID
        committed: list[Dataset] = []
        failed: list[Dataset] = []
        for reference in wanted.ReferencedSOPSequence:
            item = Dataset()
            item.ReferencedSOPClassUID = reference.get("ReferencedSOPClassUID", "")
            item.ReferencedSOPInstanceUID = reference.get("ReferencedSOPInstanceUID", "")
            reason = self._missing(item)
            if reason:
                item.FailureReason = reason
            (failed if reason else committed).append(item)
        if committed:
            content.ReferencedSOPSequence = committed
        if failed:
            content.FailedSOPSequence = failed
        return content

    def _missing(self, item: Dataset) -> int:
        """Return why an instance cannot be committed, or 0."""
        if item.ReferencedSOPClassUID not in SOP_CLASSES:
            return 0x0122
        uid, package = str(item.ReferencedSOPInstanceUID), self._package
        try:
            held = self._ledger.find(uid, package=package.name, version=package.version)
            if held.sha256 is None or held.expired:
                return 0x0112
            instance = self._ledger.instance(uid)
        except LedgerError:
            return 0x0110
        if instance.sop_class_uid != item.ReferencedSOPClassUID:
            return 0x0119
        file = self._folder / instance.path
        return 0 if file.is_file() and file.stat().st_size == instance.size else 0x0112

    def _run(self) -> None:
        while (request := self._requests.get()) and not self._stopping.is_set():
            content = self._content(request.wanted)
            for _ in range(ATTEMPTS):
                if self._send(request.title, content) or self._stopping.wait(self._pause):
                    break
            else:
                _LOG.warning("a storage commitment report did not reach %s", request.title)

    def _send(self, title: str, content: Dataset) -> bool:
        """Send a report, and return whether it has arrived."""
        host, port = self._peers[title]
        role = build_role(StorageCommitmentPushModel, scp_role=True)
        association = self._entity.associate(
            host,
            port,
            ae_title=title,
            ext_neg=[role],
            tls_args=(self._tls, None) if self._tls else None,  # type: ignore[arg-type]
        )
        if not association.is_established:
            return False
        try:
            status, _ = association.send_n_event_report(
                content,
                2 if "FailedSOPSequence" in content else 1,
                StorageCommitmentPushModel,
                StorageCommitmentPushModelInstance,
            )
        except (ValueError, RuntimeError):  # it takes no such reports
            return False
        finally:
            association.release()
        return bool(status) and status.Status == 0
