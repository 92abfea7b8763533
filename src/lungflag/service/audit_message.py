"""The parts of an audit message (PS3.15, A.5), as XML elements."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

# Codes of DCM (PS3.16, annex D), by the meaning that the messages state.
_MEANINGS = {
    "110100": "Application Activity",
    "110103": "DICOM Instances Accessed",
    "110104": "DICOM Instances Transferred",
    "110112": "Query",
    "110113": "Security Alert",
    "110114": "User Authentication",
    "110120": "Application Start",
    "110121": "Application Stop",
    "110122": "Login",
    "110123": "Logout",
    "110126": "Node Authentication",
    "110137": "User Security Attributes Changed",
    "110150": "Application",
    "110152": "Destination Role ID",
    "110153": "Source Role ID",
    "110180": "Study Instance UID",
    "110182": "Node ID",
}
_OTHER_MEANINGS = {"2": "Patient Number", "10": "Search Criteria", "11": "User Identifier"}
FINE, MINOR, SERIOUS = "0", "4", "8"
# Object type and role.
STUDY, PATIENT, NODE, QUERY = ("2", "3"), ("1", "1"), ("2", "13"), ("2", "24")
ACCOUNT = ("1", "11")  # a security user entity
ERASED = "15"
SOURCE_TYPE = "4"  # an application server


@dataclass(frozen=True, slots=True)
class Participant:
    """Who took part in an event."""

    user: str
    role: str = ""
    title: str = ""
    address: str = ""
    name: str = ""
    requestor: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, as the attributes and elements of EventIdentification."""

    code: str
    action: str
    outcome: str = FINE
    kind: str = ""
    description: str = ""


def identification(event: Event) -> Element:
    """Return what happened, as EventIdentification."""
    element = ET.Element(
        "EventIdentification",
        EventActionCode=event.action,
        EventDateTime=datetime.now(UTC).isoformat(timespec="milliseconds"),
        EventOutcomeIndicator=event.outcome,
    )
    element.append(coded("EventID", event.code))
    if event.kind:
        element.append(coded("EventTypeCode", event.kind))
    if event.description:
        ET.SubElement(element, "EventOutcomeDescription").text = clean(event.description)
    return element


def active(who: Participant) -> Element:
    """Return who took part, as ActiveParticipant."""
    element = ET.Element("ActiveParticipant", UserID=clean(who.user))
    if who.title:
        element.set("AlternativeUserID", f"AETITLES={clean(who.title)}")
    if who.name:
        element.set("UserName", clean(who.name))
    element.set("UserIsRequestor", "true" if who.requestor else "false")
    if who.address:
        element.set("NetworkAccessPointID", clean(who.address))
        element.set("NetworkAccessPointTypeCode", "2" if is_ip(who.address) else "1")
    if who.role:
        element.append(coded("RoleIDCode", who.role))
    return element


def about(code: str, uid: str, name: str, kind: tuple[str, str]) -> Element:
    """Return what it was about: a code of its identifier, the identifier, and type and role."""
    element = ET.Element(
        "ParticipantObjectIdentification",
        ParticipantObjectID=clean(uid),
        ParticipantObjectTypeCode=kind[0],
        ParticipantObjectTypeCodeRole=kind[1],
    )
    element.append(coded("ParticipantObjectIDTypeCode", code))
    ET.SubElement(element, "ParticipantObjectName").text = clean(name)
    return element


def coded(name: str, code: str) -> Element:
    """Return an element for a code."""
    system = "DCM" if code in _MEANINGS else "RFC-3881"
    meaning = _MEANINGS.get(code) or _OTHER_MEANINGS[code]
    return ET.Element(
        name,
        {
            "csd-code": code,
            "codeSystemName": system,
            "displayName": meaning,
            "originalText": meaning,
        },
    )


def clean(text: str) -> str:
    """Return `text` in one line, without what XML cannot hold."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def is_ip(address: str) -> bool:
    """Return whether a peer is named by its IP address."""
    return ":" in address or address.replace(".", "").isdecimal()
