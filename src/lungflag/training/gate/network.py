"""The gate's network: the first stages of an ImageNet network, frozen, and what is fitted on top.

The frozen stages see edges and textures at 8 x 8 places. A small head reads their layout and names
the kind of picture. Beside it stands a distance: how far the film's texture and tone lie from the
films of the nearest validated hospital.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import timm
import torch
from torch import Tensor, nn

from lungflag.errors import TrainingError
from lungflag.quality.settings import KINDS
from lungflag.training.serialise import serialise

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 128
STAGES = 5
"""Stages of MobileNetV2 that are kept: 96 channels at a sixteenth of the side."""

CHANNELS, PLACES = 96, SIZE // 16


class Stem(nn.Module):
    """MobileNetV2 up to its 96 channels, frozen, for bytes of grey.

    Parameters
    ----------
    weights : Path
        The safetensors file of ``timm.create_model("mobilenetv2_100", pad_type="same")``, whose
        inputs go from -1 to 1.

    Raises
    ------
    TrainingError
        If there is no such file.
    """

    def __init__(self, weights: Path) -> None:
        super().__init__()
        if not weights.is_file():
            raise TrainingError(f"{weights}: no such weights file")
        network: Any = timm.create_model(
            "mobilenetv2_100",
            pretrained=True,
            pretrained_cfg_overlay={"file": str(weights), "source": None},
            pad_type="same",
            in_chans=1,
            num_classes=0,
        )
        self.first = nn.Sequential(network.conv_stem, network.bn1)
        self.stages = nn.ModuleList(network.blocks[:STAGES])
        self.requires_grad_(False)
        self.eval()

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (n, 96, 8, 8) and statistics of the early stages (n, d).

        The statistics are mean and deviation over the places of the first three stages' channels,
        and the mean of the last one's: what a picture is made of, whatever it shows.
        """
        x = self.first(pixels.float() / 127.5 - 1)
        statistics = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number < 3:
                places = x.flatten(2)
                mean = places.mean(dim=2, keepdim=True)
                deviation = (places - mean).square().mean(dim=2).sqrt()
                statistics += [mean[:, :, 0], deviation]
        return x, torch.cat([*statistics, x.flatten(2).mean(dim=2)], dim=1)

    def train(self, mode: bool = True) -> Stem:  # noqa: ARG002  # its statistics never change
        """Stay in evaluation mode."""
        return super().train(False)


class Head(nn.Module):
    """From features to logits of `KINDS`, by the layout of what is seen."""

    def __init__(self, hidden: int = 48) -> None:
        super().__init__()
        self.mix = nn.Sequential(
            nn.BatchNorm2d(CHANNELS),
            nn.Conv2d(CHANNELS, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
        )
        self.read = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(hidden * (PLACES // 2) ** 2, 64), nn.ReLU(), nn.Dropout(0.3)
        )
        self.name = nn.Linear(64, len(KINDS))

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (n, k) for features (n, 96, 8, 8)."""
        logits: Tensor = self.name(self.read(self.mix(features).flatten(1)))
        return logits


class Gate(nn.Module):
    """The whole graph: pixels to probabilities of `KINDS` and the distance.

    Parameters
    ----------
    stem : Stem
        The frozen stages.
    heads : list[Head]
        Fitted from different starts; their probabilities are averaged.
    centres : Tensor
        One a hospital, shape (h, d).
    whiten : Tensor
        One matrix a hospital, shape (h, d, d): the distance is the root mean square of what comes
        out of it.
    """

    centres: Tensor
    whiten: Tensor

    def __init__(self, stem: Stem, heads: list[Head], centres: Tensor, whiten: Tensor) -> None:
        super().__init__()
        self.stem, self.heads = stem, nn.ModuleList(heads)
        self.register_buffer("centres", centres)
        self.register_buffer("whiten", whiten)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return kind (n, k) and distance (n,) for pixels (n, 1, s, s)."""
        features, statistics = self.stem(pixels)
        kind = torch.stack([head(features).softmax(dim=1) for head in self.heads]).mean(dim=0)
        return kind, distance(statistics, self.centres, self.whiten)


def distance(statistics: Tensor, centres: Tensor, whiten: Tensor) -> Tensor:
    """Return the Mahalanobis distance to the nearest hospital, a root mean square over axes."""
    each = [
        ((statistics - centre) @ matrix).square().mean(dim=1).sqrt()
        for centre, matrix in zip(centres, whiten, strict=True)
    ]
    return torch.stack(each, dim=1).amin(dim=1)


def to_onnx(module: Stem | Gate, *, outputs: tuple[str, ...] = ("kind", "distance")) -> bytes:
    """Return `module` as a serialised ONNX model with a free batch size, and its outputs named."""
    return serialise(module, SIZE, outputs)
