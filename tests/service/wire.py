"""C-STORE of octets as they are: what no library would encode, and what contradicts itself."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from pydicom.uid import UID
from pynetdicom.dimse_primitives import C_STORE

if TYPE_CHECKING:
    from pynetdicom.association import Association


def send_octets(
    association: Association, data: bytes, *, sop_class: str, sop_instance: str, priority: int = 0
) -> int | None:
    """Send a data set's octets on the first fitting context; return the status, None if aborted."""
    context = next(one for one in association.accepted_contexts if one.abstract_syntax == sop_class)
    request = C_STORE()
    request.MessageID = 1
    request.AffectedSOPClassUID = UID(sop_class)
    request.AffectedSOPInstanceUID = UID(sop_instance)
    request.Priority = priority
    request.DataSet = BytesIO(data)
    # As pynetdicom's own send_c_store does, so that its reactor does not take the answer.
    association._reactor_checkpoint.clear()
    while not association._is_paused:
        pass
    association.dimse.send_msg(request, context.context_id or 0)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    return answer.Status if isinstance(answer, C_STORE) else None
