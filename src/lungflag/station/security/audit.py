"""The station's audit trail: who signed in, who looked at which study, who changed accounts."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree as ET

from lungflag.errors import ServiceError
from lungflag.service.audit import Audit
from lungflag.service.audit_message import (
    ACCOUNT,
    FINE,
    MINOR,
    PATIENT,
    QUERY,
    STUDY,
    Event,
    Participant,
    about,
)
from lungflag.service.ledger.schema import audit as messages

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from lungflag.service.ledger import Ledger
    from lungflag.service.ledger.database import Database
    from lungflag.service.settings import Settings
    from lungflag.station.security.principal import Principal

Action = Literal["read", "create", "update", "delete"]

_CODES = {"read": "R", "create": "C", "update": "U", "delete": "D"}


class StationAudit(Audit):
    """Writes the station's audit messages. Every method returns after the message is committed.

    Messages of requests that run at the same time are committed together, so that the disk is
    asked once for all of them.

    Parameters
    ----------
    settings : Settings
        Of the service.
    ledger : Ledger
        Where messages are kept.
    """

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        super().__init__(settings, ledger, "station")
        self._together = _Together(ledger.database)

    def accessed(
        self,
        principal: Principal,
        address: str,
        study_uid: str,
        patient_id: str,
        action: Action = "read",
    ) -> None:
        """Note that a study, an image or a result of it was looked at or changed.

        Parameters
        ----------
        principal : Principal
            Who asked.
        address : str
            From where.
        study_uid, patient_id : str
            Of the study.
        action : str
            ``read``, ``create``, ``update`` or ``delete``.
        """
        event = Event("110103", _CODES[action])
        objects = [about("110180", study_uid, "", STUDY), about("2", patient_id, "", PATIENT)]
        self._keep(self._message(event, [_person(principal.name, address), self._us()], objects))

    def queried(self, principal: Principal, address: str, query: str) -> None:
        """Note that the worklist or the figures were asked for.

        Parameters
        ----------
        principal : Principal
            Who asked.
        address : str
            From where.
        query : str
            The filters, as the client sent them.
        """
        criteria = about("10", "worklist", "", QUERY)
        criteria.remove(criteria[-1])
        element = ET.SubElement(criteria, "ParticipantObjectQuery")
        element.text = b64encode(query.encode("utf-8", "replace")).decode()
        people = [_person(principal.name, address), self._us()]
        self._keep(self._message(Event("110112", "E"), people, [criteria]))

    def signed_in(self, name: str, address: str) -> None:
        """Note that a person signed in."""
        self._authentication("110122", name, address)

    def signed_out(self, name: str, address: str) -> None:
        """Note that a person signed out."""
        self._authentication("110123", name, address)

    def sign_in_failed(self, name: str, address: str, reason: str) -> None:
        """Note that a sign-in failed; beyond a number a minute they are not kept."""
        if self._alerts.allows():
            self._authentication("110122", name, address, reason)

    def account_changed(self, by: str, address: str, what: str, name: str) -> None:
        """Note that an account or key was made, changed or withdrawn.

        Parameters
        ----------
        by : str
            Who did it.
        address : str
            From where.
        what : str
            In a few words, without secrets.
        name : str
            Of the account or key.
        """
        event = Event("110113", "E", kind="110137", description=what)
        account = about("11", name, name, ACCOUNT)
        self._keep(self._message(event, [_person(by, address), self._us()], [account]))

    def _authentication(self, kind: str, name: str, address: str, reason: str = "") -> None:
        event = Event("110114", "E", MINOR if reason else FINE, kind=kind, description=reason)
        self._keep(self._message(event, [_person(name[:64], address), self._us()], []))

    def _keep(self, message: str) -> None:
        self._together.keep(message)
        self.copy(message)


@dataclass(slots=True, eq=False)
class _Waiting:
    message: str
    done: bool = False
    error: ServiceError | None = None


class _Together:
    """Commits the messages of many threads in as few transactions as may be."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._list = Lock()
        self._turn = Lock()
        self._waiting: list[_Waiting] = []

    def keep(self, message: str) -> None:
        """Return after a message was committed, by this thread or by another one.

        Raises
        ------
        ServiceError
            If it was not.
        """
        ours = _Waiting(message)
        with self._list:
            self._waiting.append(ours)
        with self._turn:
            if not ours.done:
                self._commit()
        if ours.error is not None:
            raise ours.error

    def _commit(self) -> None:
        with self._list:
            batch, self._waiting = self._waiting, []
        error: ServiceError | None = None
        try:
            self._database.write(lambda connection: self._insert(batch, connection))
        except ServiceError as caught:
            error = caught
        for one in batch:
            one.done, one.error = True, error

    def _insert(self, batch: list[_Waiting], connection: Connection) -> None:
        now = self._database.now()
        for one in batch:
            connection.execute(messages.insert().values(at=now, message=one.message))


def _person(name: str, address: str) -> Participant:
    return Participant(user=name, address=address, requestor=True)
