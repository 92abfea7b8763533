"""From a trained network to the bytes of an ONNX graph, and proof that both say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from lungflag.training.alignment import Aligned
from lungflag.training.centred import CentredNetwork, Ensemble
from lungflag.training.serialise import serialise

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from lungflag.training.backbones import Network, Parts

OUTPUTS = ("logit", "cam", "embedding")


class _FromBytes(nn.Module):
    """The graph's shape: uint8 in, three outputs."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Parts:
        parts: Parts = self.network(pixels.float() / 255.0)
        return parts


def to_onnx(network: nn.Module, frame_size: int) -> bytes:
    """Return `network`, its maps aligned, as a serialised ONNX model with a free batch size.

    Parameters
    ----------
    network : CentredNetwork or Ensemble of them
        What ships.
    frame_size : int
        Side of the radiographs that it takes.
    """
    return serialise(_FromBytes(_aligned(network)), frame_size, OUTPUTS)


def _aligned(network: nn.Module) -> nn.Module:
    if isinstance(network, Ensemble):
        return Ensemble([_aligned(member) for member in network.members])
    centred = cast("CentredNetwork", network)
    aligned = Aligned(cast("Network", centred.network), centred.size)
    return CentredNetwork(centred.centring, aligned, centred.size, frame_too=centred.frame_too)


def run_torch(network: nn.Module, batches: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Return the logits (n,) of uint8 batches (b, 1, s, s) by torch in 32 bits."""
    network = network.cpu().eval()
    with torch.inference_mode():
        logits = [network(torch.from_numpy(b).float() / 255.0)[0].numpy() for b in batches]
    return np.concatenate(logits)


def run_onnx(graph: bytes, batches: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Return the logits (n,) of uint8 batches (b, 1, s, s) by ONNX Runtime on the CPU."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["logit"], {"pixels": batch})[0] for batch in batches])
