"""The whole way of one radiograph: find the lungs, look at them, put the map back in place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from lungflag.training.lungs import WholeFrame, unview, view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lungflag.training.backbones import Parts

MAP = 28  # side of a map that was put back: eight pixels of a frame of 224 a place


class CentredNetwork(nn.Module):
    """A network with the part that chooses its view: radiographs in, parts of radiographs out.

    Parameters
    ----------
    centring : nn.Module
        Radiograph to lungs and box.
    network : nn.Module
        View to `Parts`.
    size : int
        Side of the view in pixels.
    frame_too : bool
        Whether it also looks at the whole radiograph, and the mean of both is its answer.
    """

    def __init__(
        self, centring: nn.Module, network: nn.Module, size: int, *, frame_too: bool = False
    ) -> None:
        super().__init__()
        self.centring, self.network = centring, network
        self.size, self.frame_too = size, frame_too

    def forward(self, grey: Tensor) -> Parts:
        """Return the parts for whole radiographs `grey` (n, 1, s, s) in 0 to 1.

        The map is 0 outside the box that was looked at; its mean over what was is the logit.
        """
        if isinstance(self.centring, WholeFrame):
            parts: Parts = self.network(_resized(grey, self.size))
            return parts
        _, box = self.centring(grey)
        logit, cam, embedding = self.network(view(grey, box, self.size))
        cam = unview(cam[:, None], box, MAP)[:, 0]
        if not self.frame_too:
            return logit, cam, embedding
        whole_logit, whole_cam, whole_embedding = self.network(_resized(grey, self.size))
        whole_cam = _resized(whole_cam[:, None], MAP)[:, 0]
        return (
            (logit + whole_logit) / 2,
            (cam + whole_cam) / 2,
            (embedding + whole_embedding) / 2,
        )


class Ensemble(nn.Module):
    """Networks that answer together: the mean of their logits and maps, their embeddings in a row.

    Parameters
    ----------
    members : Sequence[nn.Module]
        Whole radiographs to `Parts`; their maps are square.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, grey: Tensor) -> Parts:
        """Return the parts for whole radiographs `grey` (n, 1, s, s) in 0 to 1."""
        logits, cams, embeddings = zip(*(member(grey) for member in self.members), strict=True)
        side = max(cam.shape[-1] for cam in cams)
        cam = torch.stack([_resized(cam[:, None], side)[:, 0] for cam in cams]).mean(dim=0)
        return torch.stack(logits).mean(dim=0), cam, torch.cat(embeddings, dim=1)


def _resized(grey: Tensor, side: int) -> Tensor:
    """Return `grey` (n, 1, s, s) at another side, itself where it has it."""
    if grey.shape[-1] == side:
        return grey
    return interpolate(grey, (side, side), mode="bilinear", align_corners=False)
