"""The codes that a coded result uses, each with where it comes from.

DCM and the SNOMED CT codes are of DICOM PS3.16; what neither names is of lungflag's own scheme,
which every object that uses it declares.
"""

from __future__ import annotations

from pydicom.sr.coding import Code

OWN_SCHEME = "99LUNGFLAG"
"""Designator of the codes that no standard has; ``99`` marks a private scheme (PS3.16, 8)."""

# SNOMED CT, in the form that DICOM uses it.
PNEUMONIA = Code("233604007", "SCT", "Pneumonia")
LUNG = Code("39607008", "SCT", "Lung")
SUSPECTED = Code("415684004", "SCT", "Suspected")
NOT_DETECTED = Code("260415000", "SCT", "Not detected")
PLAIN_CHEST = Code("399208008", "SCT", "Plain chest X-ray")

# DICOM's own (PS3.16, annex D).
PERCENT = Code("%", "UCUM", "Percent")
CERTAINTY = Code("111012", "DCM", "Certainty of Finding")
INSUFFICIENT = Code("110531", "DCM", "Insufficient quality for interpretation")
PRESENCE = Code("121052", "DCM", "Presence of property")
COMMENT = Code("121106", "DCM", "Comment")
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
DEVICE = Code("121007", "DCM", "Device")
SOURCE_IMAGE = Code("121322", "DCM", "Source image for image processing operation")

# No standard has these for a finding of any kind: DCM's sensitivities are those of breast cancer.
OPERATING_POINT = Code("operating-point", OWN_SCHEME, "Operating point")
THRESHOLD = Code("threshold", OWN_SCHEME, "Threshold of the operating point")
SENSITIVITY = Code("sensitivity", OWN_SCHEME, "Sensitivity of the operating point")
SPECIFICITY = Code("specificity", OWN_SCHEME, "Specificity of the operating point")
REASON = Code("reason", OWN_SCHEME, "Reason of the rejection")
