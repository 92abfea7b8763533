"""The DICOM conformance statement (PS3.2), written from what the service does.

``python -m lungflag.service.conformance > docs/conformance.md``
"""

from __future__ import annotations

import sys
from string import Template
from typing import TYPE_CHECKING

from pydicom.uid import UID
from pynetdicom import build_context

from lungflag.outputs.identity import IMPLEMENTATION_UID
from lungflag.service import dicomweb, storage_commitment
from lungflag.service.association import MAXIMUM_PDU
from lungflag.service.deliver import dicom as sender
from lungflag.service.failure import LEDGER_AWAY, NO_ROOM, PROCESSING_FAILURE, REFUSALS
from lungflag.service.incoming import IMPLEMENTATION_VERSION_NAME
from lungflag.service.intake import CODES
from lungflag.service.node import NETWORK_SECONDS, presentation_contexts
from lungflag.service.room import LARGEST_OBJECT
from lungflag.service.settings import SETTINGS
from lungflag.service.store_response import JSON, XML

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pynetdicom.presentation import PresentationContext

_SHOWN = (  # settings that change what peers meet
    *("ae_title", "host", "port", "allow", "associations", "receive_mib", "commitment"),
    *("tls_certificate", "tls_key", "tls_ca", "http_host", "http_port", "http_token"),
    *("watch", "keep_days", "keep_free_mib", "targets"),
)

_TEXT = Template("""\
# DICOM conformance statement

*Written by `python -m lungflag.service.conformance` from the code. A test compares the two.*

lungflag receives chest radiographs, judges them, and sends a Comprehensive 3D SR and a
Secondary Capture of each to other systems. [outputs.md](outputs.md) describes the objects that
it makes, [integration.md](integration.md) how to connect it.

| network service | SCU | SCP |
|---|---|---|
| Verification | yes (`lungflag check`) | yes |
| Storage of images | no | yes |
| Storage of SR and Secondary Capture | yes | no |
| Storage Commitment Push Model | no | if the setting `commitment` names the sender |
| Store transaction of the Studies Service (STOW-RS) | yes | yes (origin server) |

No query, no retrieval, no worklist, no printing, no media.

## Associations

| | accepted | requested |
|---|---|---|
| AE title | setting `ae_title` | the target's `calling`, or `ae_title` |
| application context | 1.2.840.10008.3.1.1.1 | the same |
| at once | setting `associations` ($associations) | one for each target |
| maximum PDU | $pdu bytes | 16,382 bytes |
| asynchronous operations | none: one at a time | none |
| silence before an abort | $network s | $answer s |
| Implementation Class UID | $class_uid | the same |
| Implementation Version Name | $version | the same |

An association is rejected (permanent, service user) if it calls another AE title (reason 7), or
if the setting `allow` does not name the calling AE title with the peer's address (reason 3).
Without `allow`, every AE title is admitted from the machine itself and none from elsewhere. A
connection from an address that `allow` does not name at all is closed before anything is said.
More associations than allowed are rejected (transient, local limit exceeded). User identity and
extended negotiation items are passed over.

### Presentation contexts, accepted

| abstract syntax | UID | transfer syntaxes |
|---|---|---|
$accepted

"Images" stands for these transfer syntaxes, of which the first that the peer proposes is taken:

| transfer syntax | UID |
|---|---|
$syntaxes

### Presentation contexts, requested

| abstract syntax | UID | transfer syntaxes |
|---|---|---|
$requested

## Storage, as SCP

Level 2 (Full): objects are kept as they came in, octet for octet, with file meta information
before them. No element is coerced or discarded. Success is returned after the object is flushed
to the disk and its row is committed. The same SOP Instance UID again is a success: the first
object is kept, and a different content is noted in the audit trail. Objects are judged, and
their pixels are deleted after `keep_days` ($keep_days) days. An object that may not be judged,
for processing for example, is taken in and answered with an SR that says so.

The Priority of the request becomes that of the study, which never falls.

| status | when |
|---|---|
$statuses

Error Comment (0000,0902) tells more. Senders should try again after A7xx and 0110.

## Storage, as SCU

Results are sent to each target that asks for them, until it takes them. Success, any warning,
and Duplicate SOP Instance (0111) count as taken. After A7xx, 0110, a rejected or broken
association, or no answer in $answer s, the result is sent again, after a pause that grows.
After any other failure it is set aside, for `lungflag deliveries` to show and to retry.

## Storage commitment, as SCP

Offered if the setting `commitment` names at least one sender. An instance is committed if its
row is in the ledger and its file on the disk. **This is no archive:** pixels are deleted after
`keep_days`. The N-EVENT-REPORT goes out on an association of its own, with the SCP role
proposed, to the address that `commitment` names, at most $attempts times.

| status of the N-ACTION response | when |
|---|---|
$commitment

| Failure Reason (0008,1197) | when |
|---|---|
$reasons

## DICOMweb, as origin server

`POST /studies` and `POST /studies/{study}` (PS3.18, 10.5), with `multipart/related;
type="application/dicom"`. An object has at most $object bytes, a request $request. In
`/studies/{study}`, objects of another study fail. The response is `$json`, or `$xml` where the
Accept header prefers it. Nothing can be retrieved: Retrieve URL is empty.

| HTTP status | when |
|---|---|
| 200 | all objects were taken in |
| 202 | some were taken in, others failed |
| 400 | the request cannot be read |
| 401 | the setting `http_token` asks for another bearer token |
| 406, 415 | no such response, no such request media type |
| 409 | all objects failed, and will fail again |
| 413 | an object or the request is too large |
| 503 | too much is on its way in, or the ledger is away: try again later |
| 507 | the disk has no room: try again later |

Failure Reason (0008,1197) has the values of the C-STORE status above.

## Security

With `tls_certificate`, `tls_key` and `tls_ca`, every listener speaks TLS 1.2 or 1.3 alone and
wants a certificate that an authority of `tls_ca` has issued (PS3.15, B.9: BCP 195, without
downgrade to unauthenticated peers). HTTP is not served to other machines without that. The
audit trail has the messages of PS3.15, A.5, and is kept in the ledger and, if wanted, in a
file.

## Character sets

Specific Character Set (0008,0005) of received objects may be any that pydicom decodes. Objects
that are made here use ISO_IR 192 (UTF-8), and name none where all is ASCII.

## Settings

| setting | default | |
|---|---|---|
$settings
""")


def render() -> str:
    """Return the statement as Markdown."""
    defaults = {setting.name: setting.default for setting in SETTINGS}
    verification, *images, commitment = presentation_contexts(commitment=True)
    return _TEXT.substitute(
        associations=defaults["associations"],
        keep_days=defaults["keep_days"],
        pdu=f"{MAXIMUM_PDU:,}",
        network=f"{NETWORK_SECONDS:g}",
        answer=sender.ANSWER_SECONDS,
        class_uid=IMPLEMENTATION_UID,
        version=IMPLEMENTATION_VERSION_NAME,
        accepted=_rows(
            _context(verification),
            *(_context(one, "Images") for one in images),
            _context(commitment),
        ),
        syntaxes=_rows(*((UID(one).name, one) for one in images[0].transfer_syntax or ())),
        requested=_rows(
            *(_context(build_context(one, [*sender.SYNTAXES])) for one in sender.SOP_CLASSES),
            _context(verification),
            _context(commitment),
        ),
        statuses=_rows(*_statuses()),
        attempts=storage_commitment.ATTEMPTS,
        commitment=_rows(*_meanings(storage_commitment.STATUSES)),
        reasons=_rows(*_meanings(storage_commitment.FAILURE_REASONS)),
        object=f"{LARGEST_OBJECT:,}",
        request=f"{dicomweb.LARGEST_REQUEST:,}",
        json=JSON,
        xml=XML,
        settings=_rows(
            *(
                (f"`{one.name}`", _default(one.default), one.help)
                for one in SETTINGS
                if one.name in _SHOWN
            )
        ),
    )


def _statuses() -> Iterator[tuple[str, str]]:
    """Yield each status of a C-STORE response, and when it is given."""
    yield "0000", "The object is safe."
    told = {code: meaning for code, meaning in CODES.items() if code in REFUSALS}
    for code, meaning in told.items():
        yield f"{REFUSALS[code]:04X}", f"The object is refused: {meaning}."
    yield (
        f"{REFUSALS[NO_ROOM]:04X}",
        ("The disk has no room, too much is on its way in, or the node is being stopped."),
    )
    yield f"{LEDGER_AWAY:04X}", "The ledger is away."
    yield f"{PROCESSING_FAILURE:04X}", "A failure that nobody foresaw."


def _meanings(codes: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    return ((f"{code:04X}", meaning) for code, meaning in sorted(codes.items()))


def _context(context: PresentationContext, syntaxes: str = "") -> tuple[str, str, str]:
    """Return a presentation context as a row; `syntaxes` stands for its transfer syntaxes."""
    abstract = UID(context.abstract_syntax or "")
    named = ", ".join(UID(one).name for one in context.transfer_syntax or ())
    return abstract.name, abstract, syntaxes or named


def _default(value: object) -> str:
    return "" if value in ("", []) else f"`{value}`"


def _rows(*rows: tuple[str, ...]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    sys.stdout.write(render())
