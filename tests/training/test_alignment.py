from __future__ import annotations

import onnxruntime
import pytest
import torch

from lungflag.training.alignment import Aligned, map_offset
from lungflag.training.backbones import Network, PooledHead, build_network
from lungflag.training.centred import CentredNetwork
from lungflag.training.export import to_onnx
from lungflag.training.lungs import WholeFrame


def _one_blob(row: int, column: int, size: int) -> torch.Tensor:
    grey = torch.zeros(1, 1, size, size)
    grey[..., row - 2 : row + 3, column - 2 : column + 3] = 1.0
    return grey


class _Strided(torch.nn.Module):
    """Three averaging convolutions of stride two, padded before, after or on both sides."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.pad = torch.nn.ZeroPad2d((before, after, before, after))
        self.kernel = torch.nn.Parameter(torch.full((1, 1, 3, 3), 1 / 9))

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        for _ in range(3):
            grey = torch.nn.functional.conv2d(self.pad(grey), self.kernel, stride=2)
        return grey


def _strided(before: int, after: int) -> Network:
    head = PooledHead(1, dropout=0.0)
    torch.nn.init.ones_(head.unit.weight)
    return Network(_Strided(before, after), head, 0.0, 1.0).eval()


@pytest.mark.parametrize(("before", "after", "sign"), [(1, 1, -1), (0, 1, 1)])
def test_strides_move_the_map_and_alignment_moves_it_back(
    before: int, after: int, sign: int
) -> None:
    network = _strided(before, after)
    down, right = map_offset(network, 128)
    assert down == pytest.approx(sign * 7 / 16, abs=0.02)  # (1 + 2 + 4) / 2 of 8 pixels
    assert right == pytest.approx(down, abs=1e-4)
    aligned = Aligned(network, 128)
    for row, column in ((44, 83), (61, 30), (90, 90)):
        with torch.no_grad():
            logit, cam, _ = aligned(_one_blob(row, column, 128))
        weight = (cam[0] - cam[0].min()) / (cam[0] - cam[0].min()).sum()
        centre = (torch.arange(16) + 0.5) * 8 - 0.5
        assert float((weight.sum(1) * centre).sum()) == pytest.approx(row, abs=1.0)
        assert float((weight.sum(0) * centre).sum()) == pytest.approx(column, abs=1.0)
        torch.testing.assert_close(cam.mean(dim=(1, 2)), logit)


def test_pooling_by_two_needs_no_alignment() -> None:
    torch.manual_seed(1)
    network = build_network("cnn-deep", weights="none", image_size=128)
    assert map_offset(network, 128) == pytest.approx((0.0, 0.0), abs=0.1)


def test_alignment_keeps_the_mean_of_a_map_whose_mean_is_not_the_logit() -> None:
    torch.manual_seed(1)
    network = build_network("tiny-local", weights="none", image_size=96).eval()
    grey = torch.rand(2, 1, 96, 96)
    with torch.no_grad():
        (logit, cam, _), (same, moved, _) = network(grey), Aligned(network, 96)(grey)
    torch.testing.assert_close(same, logit)
    torch.testing.assert_close(moved.mean(dim=(1, 2)), cam.mean(dim=(1, 2)))
    assert not torch.allclose(moved, cam)


def test_the_exported_map_is_the_aligned_one() -> None:
    network = _strided(1, 1)
    whole = CentredNetwork(WholeFrame(), network, 64)
    session = onnxruntime.InferenceSession(to_onnx(whole, 64), providers=["CPUExecutionProvider"])
    pixels = (_one_blob(30, 20, 64) * 255).to(torch.uint8)
    cam = session.run(["cam"], {"pixels": pixels.numpy()})[0]
    with torch.no_grad():
        expected = Aligned(network, 64)(pixels.float() / 255)[1]
    torch.testing.assert_close(torch.from_numpy(cam), expected, atol=1e-5, rtol=1e-4)
