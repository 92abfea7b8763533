"""Put a network's class-activation map where the pixels are that it speaks of."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from lungflag.training.backbones import Network, Parts


def map_offset(network: Network, image_size: int) -> tuple[float, float]:
    """Return how far what a place of the map sees lies from the place, in places (down, right).

    Each convolution of stride two moves the centre of the receptive field by half a pixel of its
    input, up or down by how it pads; five of them add up to half a place. It is measured as the
    centroid of the receptive field of the middle places, which the border cuts evenly, in a copy
    of the network whose kernels are flat, so that only the geometry counts.
    """
    if any(isinstance(module, nn.LayerNorm) for module in network.base.modules()):
        return 0.0, 0.0  # transformers and their kin cut the image into patches: nothing slips
    base = _flat(network.base)
    # So small that every activation is in its linear part, however often residuals double it.
    grey = torch.full((1, 1, image_size, image_size), 1e-9, dtype=torch.float64)
    with torch.enable_grad():
        features = base(grey.requires_grad_(True))
        rows, columns = features.shape[2:]
        middle = features[:, :, (rows - 1) // 2 : rows // 2 + 1]
        middle = middle[..., (columns - 1) // 2 : columns // 2 + 1]
        (gradient,) = torch.autograd.grad(middle.sum(), grey)
    seen = gradient[0, 0] / gradient.sum()
    at = torch.arange(image_size) - (image_size - 1) / 2
    down = float((seen.sum(dim=1) * at).sum()) * rows / image_size
    right = float((seen.sum(dim=0) * at).sum()) * columns / image_size
    return down, right


def _flat(base: nn.Module) -> nn.Module:
    copy = deepcopy(base).cpu().double().eval()
    for module in copy.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool2d):  # all of its inputs are equal here
                flat = nn.AvgPool2d(child.kernel_size, child.stride, child.padding)
                setattr(module, name, flat)
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
    return copy


class Aligned(nn.Module):
    """A network whose map is moved back by `map_offset`; its mean stays what it was."""

    down: Tensor
    right: Tensor

    def __init__(self, network: Network, image_size: int) -> None:
        super().__init__()
        offset = map_offset(network, image_size)
        self.network = network
        with torch.no_grad():
            _, cam, _ = network(torch.zeros(1, 1, image_size, image_size))
        self.register_buffer("down", _moved(cam.shape[1], offset[0]))
        self.register_buffer("right", _moved(cam.shape[2], offset[1]).T.contiguous())

    def forward(self, grey: Tensor) -> Parts:
        """Return the parts for `grey` (n, 1, s, s) in 0 to 1."""
        logit, cam, embedding = self.network(grey)
        moved = self.down @ cam @ self.right
        return logit, moved + (cam - moved).mean(dim=(1, 2), keepdim=True), embedding


def _moved(n: int, offset: float) -> Tensor:
    """Return the (n, n) matrix that reads a line of places `offset` before each, interpolating."""
    at = (torch.arange(n) - offset).clamp(0, n - 1)
    return (1 - (at[:, None] - torch.arange(n)).abs()).clamp(min=0)
