"""Training: from a manifest to a model package. The only room that imports torch."""

from __future__ import annotations

from lungflag._extras import require

for _module in ("torch", "timm", "lightning", "kornia", "onnx"):
    require(_module, feature="training", extra="train")
