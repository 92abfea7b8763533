"""What the model may judge: the picture (the gate), the header, and where the package was proven.

`lungflag.quality.gate` looks at the picture, `lungflag.quality.header` reads what DICOM says of
it. Both are described by data in the model package, `GateSettings` and `ValidatedUse`.
"""

from __future__ import annotations

from lungflag.quality.settings import GateSettings
from lungflag.quality.validated import ValidatedUse

__all__ = ["GateSettings", "ValidatedUse"]
