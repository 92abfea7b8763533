"""From a torch module with bytes in to the bytes of an ONNX model."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, cast

import numpy as np
import onnx
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

_LARGE = 1024  # values: smaller tensors are biases and constants, of which precision is cheap
_FLOAT32 = onnx.TensorProto.FLOAT


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


def halved(graph: bytes) -> bytes:
    """Return `graph` with its large weights stored in 16 bits and computed with in 32.

    Half the file. The runtime widens them once, when it loads the graph. Rounding is to 11
    significant bits, which moves a logit by some thousandths.
    """
    model = onnx.load_from_string(graph)
    widened = []
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _LARGE:
            continue
        name = tensor.name
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        widened.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=_FLOAT32))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*widened, *nodes])  # before whoever takes them
    onnx.checker.check_model(model, full_check=True)
    return cast("bytes", model.SerializeToString())
