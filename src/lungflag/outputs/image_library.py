"""The image that a report is of, in its Image Library: TID 1600.

Viewers find the film by it: OHIF's reader fails without one. highdicom's own library is not used:
it demands the orientation and the pixel spacing of a radiograph, which many headers lack.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from highdicom import sr
from pydicom.sr.codedict import codes as standard

from lungflag.outputs import codes

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.sr.coding import Code

_PIXELS = sr.CodedConcept("{pixels}", "UCUM", "Pixels")


def image_library(header: Dataset, size: tuple[int, int] | None) -> sr.ContainerContentItem:
    """Return the library of one image.

    Parameters
    ----------
    header : Dataset
        Of the image, from `lungflag.outputs.source.clean_header`.
    size : tuple of int, optional
        Its rows and columns.
    """
    image = sr.ImageContentItem(
        codes.SOURCE,
        header.SOPClassUID,
        header.SOPInstanceUID,
        relationship_type=sr.RelationshipTypeValues.CONTAINS,
    )
    context = sr.RelationshipTypeValues.HAS_ACQ_CONTEXT
    described: list[sr.ContentItem] = [
        sr.CodeContentItem(standard.DCM.Modality, _modality(header), context)
    ]
    if size:
        names = (standard.DCM.PixelDataRows, standard.DCM.PixelDataColumns)
        described += [
            sr.NumContentItem(name, value, _PIXELS, relationship_type=context)
            for name, value in zip(names, size, strict=True)
        ]
    image.ContentSequence = sr.ContentSequence(described)
    return _container(codes.IMAGE_LIBRARY, _container(codes.IMAGE_LIBRARY_GROUP, image))


def _container(name: Code, content: sr.ContentItem) -> sr.ContainerContentItem:
    contains = sr.RelationshipTypeValues.CONTAINS
    container = sr.ContainerContentItem(name, relationship_type=contains)
    container.ContentSequence = sr.ContentSequence([content])
    return container


def _modality(header: Dataset) -> Code:
    """Return the modality as a code of CID 29."""
    other: Code = standard.DCM.Other
    return _modalities().get(header.get("Modality", ""), other)


@cache
def _modalities() -> dict[str, Code]:
    known = (getattr(standard.cid29, name) for name in standard.cid29.dir())
    return {code.value: code for code in known}
