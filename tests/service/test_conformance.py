"""The conformance statement says what the code does, and a peer meets what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pydicom import uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import _STORAGE_CLASSES

from lungflag.outputs.identity import IMPLEMENTATION_UID
from lungflag.service.conformance import render
from lungflag.service.deliver import open_target
from lungflag.service.target import Target
from tests.service.doors import open_door
from tests.service.test_storage_commitment import committing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pynetdicom.association import Association

    from lungflag.service.settings import Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "conformance.md"
SYNTAXES = [
    one
    for name in dir(uid)
    if isinstance(one := getattr(uid, name), uid.UID) and one.is_transfer_syntax
]


def table(heading: str) -> list[list[str]]:
    """Return the cells of the first table after a heading or a sentence of the document."""
    after = DOCUMENT.read_text(encoding="utf-8").split(heading)[1]
    block = re.search(r"\n\|.*?\n\n", after, re.DOTALL)
    assert block
    rows = [line.strip("|").split("|") for line in block[0].strip().splitlines()]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def propose(port: int, contexts: Sequence[tuple[str, str]]) -> Association:
    entity = AE("MODALITY")
    for sop_class, syntax in contexts:
        entity.add_requested_context(sop_class, syntax)
    return entity.associate("127.0.0.1", port, ae_title="LUNGFLAG")


def test_it_is_what_the_code_writes() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == render()


def test_a_peer_is_let_in_with_what_it_lists_and_nothing_else(settings: Settings) -> None:
    names = {uid.UID(one).name: one for one in SYNTAXES}
    images = {one for _, one in table('"Images" stands for')}
    listed = {
        (sop_class, syntax)
        for _, sop_class, syntaxes in table("### Presentation contexts, accepted")
        for syntax in (
            images if syntaxes == "Images" else {names[one] for one in syntaxes.split(", ")}
        )
    }
    classes = {sop_class for sop_class, _ in listed} | set(_STORAGE_CLASSES.values())
    everything = [(sop_class, syntax) for sop_class in sorted(classes) for syntax in SYNTAXES]
    accepted = set()
    with open_door(settings) as door, committing(door, MODALITY=1) as node:
        for start in range(0, len(everything), 128):  # as many as an association may propose
            association = propose(node.port, everything[start : start + 128])
            accepted |= {
                (str(one.abstract_syntax), str(one.transfer_syntax[0]))
                for one in association.accepted_contexts
            }
            assert association.acceptor.maximum_length == 131_072
            assert association.acceptor.implementation_class_uid == IMPLEMENTATION_UID
            association.abort()
    assert accepted == listed


def test_a_target_is_asked_for_what_it_lists(settings: Settings) -> None:
    proposed: set[tuple[str, str]] = set()

    def note(event: evt.Event) -> None:
        requested = event.assoc.requestor
        assert requested.primitive is not None
        assert requested.implementation_class_uid == IMPLEMENTATION_UID
        proposed.update(
            (str(one.abstract_syntax), ", ".join(syntax.name for syntax in one.transfer_syntax))
            for one in requested.primitive.presentation_context_definition_list
        )

    entity = AE("ARCHIVE")
    for _, sop_class, _ in table("### Presentation contexts, requested"):
        entity.add_supported_context(sop_class)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_REQUESTED, note)]
    )
    assert server is not None
    try:
        address = f"ARCHIVE@127.0.0.1:{server.server_address[1]}"
        target = Target(name="archive", kind="dicom", address=address, send=("sr",))
        assert open_target(target, settings).check() == ""
    finally:
        server.shutdown()
    listed = {
        (sop_class, syntaxes)
        for name, sop_class, syntaxes in table("### Presentation contexts, requested")
        if "Commitment" not in name
    }
    assert proposed == listed


def test_every_status_has_its_row() -> None:
    from lungflag.service.failure import REFUSALS

    rows = {row[0] for row in table("The Priority of the request")}
    assert {f"{status:04X}" for status in REFUSALS.values()} <= rows
