"""C-STORE of octets as they are: what no library would encode, and what contradicts itself."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from pydicom.uid import UID
from pynetdicom.dimse_primitives import C_STORE

from tests.service.waiting import until

if TYPE_CHECKING:
    from pynetdicom.association import Association


def send_octets(
    association: Association,
    data: bytes,
    *,
    context: str,
    syntax: str = "",
    sop_class: str = "",
    sop_instance: str,
) -> int | None:
    """Send a data set's octets in a context, as of some SOP class, by default the context's.

    Returns the status, or None where the peer aborts.
    """
    accepted = next(
        one
        for one in association.accepted_contexts
        if one.abstract_syntax == context and syntax in ("", one.transfer_syntax[0])
    )
    request = C_STORE()
    request.MessageID = 1
    request.AffectedSOPClassUID = UID(sop_class or context)
    request.AffectedSOPInstanceUID = UID(sop_instance)
    request.Priority = 0
    request.DataSet = BytesIO(data)
    # As pynetdicom's own send_c_store does, so that its reactor does not take the answer.
    association._reactor_checkpoint.clear()
    until(lambda: association._is_paused or not association.is_established)
    association.dimse.send_msg(request, accepted.context_id or 0)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    return answer.Status if isinstance(answer, C_STORE) else None
