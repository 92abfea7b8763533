"""Strided depthwise convolutions whose backward pass is not the slowest part of a step.

oneDNN has no depthwise kernel for the gradient by the input of a strided convolution in bfloat16
and computes it as a dense one: in MobileNetV2 these four layers took more than a third of a step on
a CPU. In float32 it has the kernel, and that is what is used here; the gradient is the more exact
for it. Everything else, evaluation and other devices included, is the convolution that it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.padding import pad_same
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence


class StridedDepthwise(nn.Conv2d):
    """A strided depthwise convolution; weights and results are those of the one it replaces.

    Parameters
    ----------
    conv : nn.Conv2d
        What it replaces. A `Conv2dSame` pads as TensorFlow does.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__(
            conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride,  # type: ignore[arg-type]
            conv.padding, conv.dilation, conv.groups, bias=False, device="meta",  # type: ignore[arg-type]
        )  # fmt: skip
        self.weight = conv.weight
        self.same = isinstance(conv, Conv2dSame)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the convolution of `pixels` (n, c, h, w)."""
        if self.same:
            pixels = pad_same(
                pixels, list(self.kernel_size), list(self.stride), list(self.dilation)
            )
        halved = pixels.dtype == torch.bfloat16 and torch.is_autocast_enabled("cpu")
        if pixels.device.type == "cpu" and halved and torch.is_grad_enabled():
            result: Tensor = _Convolution.apply(
                pixels, self.weight, self.stride, self.padding, self.dilation, self.groups
            )
            return result
        return super().forward(pixels)


def quicken(base: nn.Module) -> None:
    """Replace the strided depthwise convolutions within `base`, in place."""
    for module in base.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d) and _is_strided_depthwise(child):
                setattr(module, name, StridedDepthwise(child))


def _is_strided_depthwise(conv: nn.Conv2d) -> bool:
    return (
        conv.groups == conv.in_channels == conv.out_channels > 1
        and max(conv.stride) > 1
        and conv.bias is None
        and conv.padding_mode == "zeros"
        and not isinstance(conv.padding, str)
    )


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pixels: Tensor, weight: Tensor, *geometry: Any) -> Tensor:
        ctx.save_for_backward(pixels, weight)
        ctx.geometry = geometry
        stride, padding, dilation, groups = geometry
        return torch.conv2d(
            pixels, weight.to(pixels.dtype), None, stride, padding, dilation, groups
        )

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        pixels, weight = ctx.saved_tensors
        for_pixels = for_weight = None
        if ctx.needs_input_grad[0]:
            # The kernel asks the pixels for their shape and layout alone.
            shaped = torch.empty_like(pixels, dtype=torch.float32)
            for_pixels = _gradients(gradient.float(), shaped, weight.float(), ctx.geometry, 0)
            for_pixels = for_pixels.to(pixels.dtype)
        if ctx.needs_input_grad[1]:
            for_weight = _gradients(gradient, pixels, weight.to(pixels.dtype), ctx.geometry, 1)
            for_weight = for_weight.to(weight.dtype)
        return for_pixels, for_weight, None, None, None, None


def _gradients(
    gradient: Tensor, pixels: Tensor, weight: Tensor, geometry: Sequence[Any], which: int
) -> Tensor:
    """Return the gradient by the pixels (0) or by the weight (1)."""
    stride, padding, dilation, groups = geometry
    by: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
        gradient, pixels, weight, None, stride, padding, dilation, False, [0, 0], groups,
        [which == 0, which == 1, False],
    )  # fmt: skip
    return by[which]
