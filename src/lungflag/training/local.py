"""A network that sees a small part of the film at a time, and so says where."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Any

import timm
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from lungflag.training.backbones import Parts


class LocalBase(nn.Module):
    """The first stages of timm's tiny EfficientNet, at an eighth of the input's scale.

    A place sees 35 pixels (but for the channels' gates, which follow the whole film). Deeper
    stages see more and judge no better on synthetic radiographs, but what they find they report
    from anywhere near it: with twice the view the map's peak moved from the consolidations to the
    lung around them.

    Parameters
    ----------
    features : int
        Channels of the result.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        stages: Any = timm.create_model(
            "test_efficientnet", in_chans=1, features_only=True, out_indices=(3,), output_stride=8
        )
        (channels,) = stages.feature_info.channels()
        self.stages = stages
        self.mix = nn.Sequential(
            nn.Conv2d(channels, features, 1, bias=False), nn.BatchNorm2d(features), nn.SiLU()
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Return features (n, c, s/8, s/8) for normalised `pixels` (n, 1, s, s)."""
        result: Tensor = self.mix(self.stages(pixels)[-1])
        return result


class SmoothMaximumHead(nn.Module):
    """One linear unit at every place, and the logarithm of their mean exponential as the logit.

    The unit at every place is the class-activation map, as with average pooling: the logit of a
    film that looks like this everywhere. A small consolidation does not drown in the healthy rest
    (log-sum-exp pooling: Pinheiro and Collobert, CVPR 2015).

    Parameters
    ----------
    features : int
        Channels of the features.
    dropout : float
        Share of the channels that training leaves out.
    """

    def __init__(self, features: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout2d(dropout)
        self.unit = nn.Linear(features, 1)
        nn.init.zeros_(self.unit.bias)
        nn.init.normal_(self.unit.weight, std=0.01)

    def forward(self, features: Tensor) -> Parts:
        """Return the parts for `features` (n, c, h, w)."""
        features = features.float()
        cam: Tensor = self.unit(self.dropout(features).permute(0, 2, 3, 1))[..., 0]
        logit = torch.logsumexp(cam.flatten(1), dim=1) - log(cam[0].numel())
        return logit, cam, features.mean(dim=(2, 3))
