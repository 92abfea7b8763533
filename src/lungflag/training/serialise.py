"""From a torch module with bytes in to the bytes of an ONNX model."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, cast

import onnx
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn


def serialise(module: nn.Module, side: int, outputs: Sequence[str]) -> bytes:
    """Return `module` as an ONNX model from ``pixels`` uint8 (n, 1, side, side) to `outputs`."""
    example = torch.zeros((2, 1, side, side), dtype=torch.uint8)
    with warnings.catch_warnings():
        # The exporter warns of its own internals' deprecations; nothing a caller could mend.
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            module.cpu().eval(),
            (example,),
            dynamo=True,
            verbose=False,
            input_names=["pixels"],
            output_names=list(outputs),
            dynamic_shapes={"pixels": {0: torch.export.Dim("n", min=1)}},
        )
    if program is None:
        raise AssertionError("the exporter returned no program")
    graph = program.model_proto
    onnx.checker.check_model(graph, full_check=True)
    for node in graph.graph.node:  # the exporter leaves file paths of the build in these
        del node.metadata_props[:]
        node.doc_string = ""
    return cast("bytes", graph.SerializeToString())
