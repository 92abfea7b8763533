"""The audit message schema of PS3.15, A.5.1, as far as a message of ours may reach."""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.etree.ElementTree import Element

_TEXT = r"[^\r\n]*"
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
_CODED = {
    "csd-code": r"\S+", "codeSystemName": r"\S+", "originalText": _TEXT, "displayName?": _TEXT
}  # fmt: skip


@dataclass(frozen=True)
class _Rule:
    """An element: attribute to pattern, then child to how often; ``?`` marks what may be absent."""

    attributes: Mapping[str, str] = field(default_factory=dict)
    children: str = ""
    text: bool = False


_RULES = {
    "AuditMessage": _Rule(
        children="EventIdentification (ActiveParticipant )+AuditSourceIdentification "
        "(ParticipantObjectIdentification )*"
    ),
    "EventIdentification": _Rule(
        {
            "EventActionCode?": "[CRUDE]",
            "EventDateTime": _TIME,
            "EventOutcomeIndicator": "0|4|8|12",
        },
        "EventID (EventTypeCode )*(EventOutcomeDescription )?",
    ),
    "EventID": _Rule(_CODED),
    "EventTypeCode": _Rule(_CODED),
    "EventOutcomeDescription": _Rule(text=True),
    "ActiveParticipant": _Rule(
        {
            "UserID": _TEXT,
            "AlternativeUserID?": _TEXT,
            "UserName?": _TEXT,
            "UserIsRequestor": "true|false",
            "NetworkAccessPointID?": r"\S+",
            "NetworkAccessPointTypeCode?": "[1-5]",
        },
        "(RoleIDCode )*(MediaIdentifier )?",
    ),
    "RoleIDCode": _Rule(_CODED),
    "AuditSourceIdentification": _Rule(
        {"AuditEnterpriseSiteID?": _TEXT, "AuditSourceID": r"\S.*"}, "(AuditSourceTypeCode )*"
    ),
    "AuditSourceTypeCode": _Rule({"csd-code": "[1-9]"}),
    "ParticipantObjectIdentification": _Rule(
        {
            "ParticipantObjectID": _TEXT,
            "ParticipantObjectTypeCode?": "[1-4]",
            "ParticipantObjectTypeCodeRole?": "[1-9]|1[0-9]|2[0-6]",
            "ParticipantObjectDataLifeCycle?": "[1-9]|1[0-5]",
            "ParticipantObjectSensitivity?": _TEXT,
        },
        "ParticipantObjectIDTypeCode (ParticipantObjectName |ParticipantObjectQuery )"
        "(ParticipantObjectDetail )*(ParticipantObjectDescription )*",
    ),
    "ParticipantObjectIDTypeCode": _Rule(_CODED),
    "ParticipantObjectName": _Rule(text=True),
    "ParticipantObjectQuery": _Rule(text=True),
    "ParticipantObjectDetail": _Rule({"type": _TEXT, "value": r"[A-Za-z0-9+/=]+"}),
    "ParticipantObjectDescription": _Rule(
        children="(MPPS )*(Accession )*(SOPClass )*(ParticipantObjectContainsStudy )?"
    ),
    "Accession": _Rule({"Number": r"\S+"}),
    "SOPClass": _Rule({"UID?": r"[0-9.]+", "NumberOfInstances": r"\d+"}, "(Instance )*"),
    "Instance": _Rule({"UID": r"\S+"}),
}


def read_message(message: str) -> Element:
    """Return an audit message that keeps to the schema, in one line."""
    assert "\n" not in message
    root = ET.fromstring(message)
    assert root.tag == "AuditMessage"
    for element in root.iter():
        _check(element)
    return root


def _check(element: Element) -> None:
    rule = _RULES[element.tag]
    known = {name.rstrip("?"): pattern for name, pattern in rule.attributes.items()}
    assert set(element.attrib) <= set(known), element.tag
    assert {name for name in rule.attributes if not name.endswith("?")} <= set(element.attrib)
    for name, value in element.attrib.items():
        assert re.fullmatch(known[name], value), (element.tag, name, value)
    children = "".join(f"{child.tag} " for child in element)
    assert re.fullmatch(rule.children, children), (element.tag, children)
    assert rule.text or not (element.text or "").strip()


def codes(root: Element, path: str) -> list[str]:
    """Return the codes of the elements at `path`."""
    return [element.attrib["csd-code"] for element in root.findall(f"{path}[@csd-code]")]


def detail(root: Element) -> str:
    """Return the text of a message's detail."""
    (element,) = root.findall(".//ParticipantObjectDetail")
    return b64decode(element.attrib["value"]).decode()
