from __future__ import annotations

import pytest
import torch
from timm.layers.conv2d_same import Conv2dSame
from torch import nn

from lungflag.training.depthwise import StridedDepthwise, quicken


@pytest.mark.parametrize("kind", [nn.Conv2d, Conv2dSame])
def test_results_are_the_same_and_gradients_as_exact(kind: type[nn.Conv2d]) -> None:
    torch.manual_seed(1)
    padding = 0 if kind is Conv2dSame else 1
    plain = nn.Sequential(kind(16, 16, 3, stride=2, padding=padding, groups=16, bias=False))
    quick = nn.Sequential(kind(16, 16, 3, stride=2, padding=padding, groups=16, bias=False))
    quick.load_state_dict(plain.state_dict())
    quicken(quick)
    assert isinstance(quick[0], StridedDepthwise)
    film = torch.randn(2, 16, 17, 20)
    gradients = []
    for network in (plain, quick):
        pixels = film.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            result = network(pixels)
        result.float().square().sum().backward()
        gradients.append((result, pixels.grad, network[0].weight.grad))
    torch.testing.assert_close(gradients[0][0], gradients[1][0])
    for one, other in zip(gradients[0][1:], gradients[1][1:], strict=True):
        torch.testing.assert_close(one, other, rtol=0.03, atol=0.05)


def test_what_is_not_strided_or_not_depthwise_stays() -> None:
    network = nn.Sequential(
        nn.Conv2d(8, 8, 3, groups=8, bias=False), nn.Conv2d(8, 8, 3, stride=2, bias=False)
    )
    quicken(network)
    assert not any(isinstance(layer, StridedDepthwise) for layer in network)
