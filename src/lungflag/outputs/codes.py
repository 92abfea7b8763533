"""The codes that a coded result uses, each with where it comes from.

``DCM`` codes stand in DICOM PS3.16, annex D. ``SCT`` codes are SNOMED CT concepts; DICOM and FHIR
use the same ones. What neither has is of lungflag's own scheme, which every object that uses it
declares.
"""

from __future__ import annotations

from pydicom.sr.coding import Code

OWN_SCHEME = "99LUNGFLAG"
"""Designator of lungflag's scheme; ``99`` marks a private one (PS3.16, 8)."""

OWN_SCHEME_UID = "2.25.44092238505886407993305477124425777751"

PNEUMONIA = Code("233604007", "SCT", "Pneumonia")
SOURCE = Code("260753009", "SCT", "Source")
LUNG = Code("39607008", "SCT", "Lung")
FINDING_CONTEXT = Code("408729009", "SCT", "Finding context")
SUSPECTED = Code("415684004", "SCT", "Suspected")
NOT_DETECTED = Code("260415000", "SCT", "Not detected")
CHEST_RADIOGRAPH = Code("399208008", "SCT", "Plain chest X-ray")
RADIOGRAPH = Code("363680008", "SCT", "Radiographic imaging procedure")

PERCENT = Code("%", "UCUM", "Percent")

ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
CERTAINTY = Code("111012", "DCM", "Certainty of Finding")
COMMENT = Code("121106", "DCM", "Comment")
DEVICE = Code("121007", "DCM", "Device")
FINDING = Code("121071", "DCM", "Finding")
IMAGE_LIBRARY = Code("111028", "DCM", "Image Library")
IMAGE_LIBRARY_GROUP = Code("126200", "DCM", "Image Library Group")
INSUFFICIENT_QUALITY = Code("110531", "DCM", "Insufficient quality for interpretation")
SOURCE_IMAGE = Code("121322", "DCM", "Source image for image processing operation")

# DICOM's codes for operating points, sensitivity and specificity belong to its templates of CAD
# detections (PS3.16, TID 4017).
OPERATING_POINT = Code("operating-point", OWN_SCHEME, "Operating point")
THRESHOLD = Code("threshold", OWN_SCHEME, "Threshold of the operating point")
SENSITIVITY = Code("sensitivity", OWN_SCHEME, "Sensitivity of the operating point")
SPECIFICITY = Code("specificity", OWN_SCHEME, "Specificity of the operating point")
ASSESSMENT = Code("reader-verdict", OWN_SCHEME, "A reader's assessment of the AI result")
DISAGREES = Code("disagrees", OWN_SCHEME, "A reader disagrees with the AI result")
WITHDRAWN = Code("withdrawn", OWN_SCHEME, "A reader's disagreement was taken back")
REJECTION = Code("rejection", OWN_SCHEME, "Reason of the rejection")


def rejection_code(code: str, meaning: str) -> Code:
    """Return a rejection's code of `lungflag.outcome.CODES` in lungflag's scheme.

    ``out-of-distribution`` and the like are longer than the 16 characters that a Code Value may
    have; they become Long Code Values (PS3.3, 8.1).
    """
    return Code(code, OWN_SCHEME, meaning)
