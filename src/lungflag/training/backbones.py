"""Networks by name. A backbone is one entry of `BACKBONES`; any other timm name works too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import timm
import torch
from torch import Tensor, nn

from lungflag.errors import TrainingError
from lungflag.training.local import LocalBase, SmoothMaximumHead

if TYPE_CHECKING:
    from collections.abc import Iterable

Parts = tuple[Tensor, Tensor, Tensor]
"""logit (n,), class-activation map (n, h, w), embedding (n, d)."""


class Network(nn.Module):
    """A backbone between bytes of grey and the three outputs of a model package.

    Parameters
    ----------
    base : nn.Module
        Pixels (n, 1, s, s), normalised, to features (n, c, h, w).
    head : nn.Module
        Features to `Parts`.
    mean, std : float
        Normalisation of grey values in 0 to 1.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, base: nn.Module, head: nn.Module, mean: float, std: float) -> None:
        super().__init__()
        self.base, self.head = base, head
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))

    def forward(self, grey: Tensor) -> Parts:
        """Return logit, class-activation map and embedding for `grey` (n, 1, s, s) in 0 to 1."""
        parts: Parts = self.head(self.base((grey - self.mean) / self.std))
        return parts


class PooledHead(nn.Module):
    """Global average pooling and one linear unit.

    The unit applied to every place is the class-activation map, and its mean over the places is
    the logit, so the heatmap costs no second pass (Zhou et al., CVPR 2016).
    """

    def __init__(self, features: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.unit = nn.Linear(features, 1)
        nn.init.zeros_(self.unit.bias)
        nn.init.normal_(self.unit.weight, std=0.01)

    def forward(self, features: Tensor) -> Parts:
        """Return the parts for `features` (n, c, h, w)."""
        features = features.float()
        embedding = features.mean(dim=(2, 3))
        logit = self.unit(self.dropout(embedding))[:, 0]
        cam = torch.einsum("nchw,c->nhw", features, self.unit.weight[0]) + self.unit.bias
        return logit, cam, embedding


class DenseHead(nn.Module):
    """Flatten, one hidden dense layer, one unit: the head of the classic Keras tutorials.

    Each place's share of the logit is exact for the active hidden units (gradient times input of
    a piecewise linear function), scaled so that the mean over the map, with the hidden biases'
    share spread evenly, is the logit.
    """

    def __init__(self, features: int, grid: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.Linear(features * grid * grid, hidden)
        self.dropout = nn.Dropout(dropout)
        self.unit = nn.Linear(hidden, 1)

    def forward(self, features: Tensor) -> Parts:
        """Return the parts for `features` (n, c, h, w)."""
        features = features.float()
        flat = features.flatten(1)
        embedding = torch.relu(self.hidden(flat))
        logit = self.unit(self.dropout(embedding))[:, 0]
        active = (embedding > 0).float() * self.unit.weight[0]
        shares = ((active @ self.hidden.weight) * flat).reshape_as(features).sum(dim=1)
        places = shares.shape[1] * shares.shape[2]
        rest = active @ self.hidden.bias + self.unit.bias
        return logit, shares * places + rest[:, None, None], embedding


class TimmBase(nn.Module):
    """A timm network's features as (n, c, h, w), whatever layout the network has inside."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        self.channels_last = getattr(network, "output_fmt", None) == "NHWC"
        self.prefix = int(getattr(network, "num_prefix_tokens", 0))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return features (n, c, h, w) for normalised `pixels` (n, 1, s, s)."""
        features: Tensor = self.network.forward_features(pixels)
        if features.ndim == 3:  # tokens (n, t, c) of a vision transformer
            tokens = features[:, self.prefix :]
            side = round(tokens.shape[1] ** 0.5)
            return tokens.transpose(1, 2).reshape(len(tokens), -1, side, side)
        return features.permute(0, 3, 1, 2) if self.channels_last else features


def _convolutions(widths: Iterable[int], depth: int, *, norm: bool) -> nn.Sequential:
    """Blocks of `depth` 3x3 convolutions, each block ended by max-pooling by two."""
    layers: list[nn.Module] = []
    before = 1
    for width in widths:
        for _ in range(depth):
            layers.append(nn.Conv2d(before, width, 3, padding=1, bias=not norm))
            layers += [nn.BatchNorm2d(width)] if norm else []
            layers.append(nn.ReLU(inplace=True))
            before = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def _cnn_small(weights: str, image_size: int) -> Network:
    _only_from_scratch("cnn-small", weights)
    base = _convolutions((16, 32, 32, 64, 64), depth=1, norm=False)
    return Network(base, DenseHead(64, image_size // 32, hidden=128, dropout=0.5), 0.0, 1.0)


def _cnn_deep(weights: str, image_size: int) -> Network:
    _only_from_scratch("cnn-deep", weights)
    base = _convolutions((16, 32, 64, 96, 128), depth=2, norm=True)
    return Network(base, DenseHead(128, image_size // 32, hidden=128, dropout=0.5), 0.0, 1.0)


def _tiny_local(weights: str, image_size: int) -> Network:
    del image_size  # any
    _only_from_scratch("tiny-local", weights)
    return Network(LocalBase(192), SmoothMaximumHead(192, dropout=0.2), 0.5, 0.5)


def _only_from_scratch(name: str, weights: str) -> None:
    if weights != "none":
        raise TrainingError(f"{name} has no pretrained weights; use --weights none")


def _timm(name: str, *, keras_file: bool = False) -> Callable[[str, int], Network]:
    """Return a builder; with `keras_file`, a weights file is in Keras's conventions.

    Keras pads as TensorFlow does and scales pixels to -1..1; timm's own weights may do neither.
    """

    def build(weights: str, image_size: int) -> Network:
        options: dict[str, Any] = {"in_chans": 1, "num_classes": 0}
        if "vit" in name or "swin" in name:  # position embeddings are made for one size
            options["img_size"] = image_size
        overlay: dict[str, Any] = {}
        if weights not in ("imagenet", "none"):
            if not Path(weights).is_file():
                raise TrainingError(f"{weights}: no such weights file")
            overlay = {"file": weights, "source": None}
            if keras_file:
                options["pad_type"] = "same"
                overlay |= {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
        try:
            network: Any = timm.create_model(
                name, pretrained=weights != "none", pretrained_cfg_overlay=overlay, **options
            )
        except (RuntimeError, OSError) as error:
            reason = str(error).splitlines()[0]
            raise TrainingError(f"{name} with weights {weights!r}: {reason}") from error
        config = network.pretrained_cfg
        return Network(
            TimmBase(network),
            PooledHead(network.num_features, dropout=0.2),
            mean=sum(config["mean"]) / len(config["mean"]),
            std=sum(config["std"]) / len(config["std"]),
        )

    return build


@dataclass(frozen=True, slots=True)
class Backbone:
    """One entry of `BACKBONES`.

    Attributes
    ----------
    build : Callable[[str, int], Network]
        From weights (``imagenet``, ``none`` or a file) and image size to a network.
    about : str
        One line for `--help`.
    """

    build: Callable[[str, int], Network]
    about: str


BACKBONES: dict[str, Backbone] = {
    "cnn-small": Backbone(_cnn_small, "five convolutions with max-pooling, dense head"),
    "cnn-deep": Backbone(_cnn_deep, "ten convolutions with batch normalisation, dense head"),
    "mobilenetv2": Backbone(
        _timm("mobilenetv2_100", keras_file=True),
        "MobileNetV2 1.0; takes Keras's weights as a file",
    ),
    "tiny-local": Backbone(
        _tiny_local, "sees a small part of the film at a time: a fine map; for phantoms"
    ),
    "xception": Backbone(_timm("legacy_xception"), "Xception as in Keras Applications"),
}


def build_network(name: str, *, weights: str, image_size: int) -> Network:
    """Return the network `name`: an entry of `BACKBONES` or any timm model.

    Parameters
    ----------
    name : str
        Backbone name.
    weights : str
        ``imagenet``, ``none``, or the path of a weights file for that network.
    image_size : int
        Side of the square input in pixels.

    Raises
    ------
    TrainingError
        If there is no such backbone, or its weights cannot be had.
    """
    if name in BACKBONES:
        return BACKBONES[name].build(weights, image_size)
    if not timm.is_model(name):
        near = ", ".join(timm.list_models(f"*{name[:6]}*")[:5])
        hint = f"; near it: {near}" if near else ""
        raise TrainingError(f"no backbone {name!r}: choose {', '.join(BACKBONES)} or timm{hint}")
    return _timm(name)(weights, image_size)
