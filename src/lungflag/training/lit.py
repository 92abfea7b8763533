"""The training step: two stages, binary cross-entropy, averaged weights."""

from __future__ import annotations

from math import cos, pi
from typing import TYPE_CHECKING, Any

import lightning
import torch
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torchmetrics.functional.classification import binary_auroc

from lungflag.training.augment import Augmentation
from lungflag.training.backbones import build_network
from lungflag.training.centred import CentredNetwork
from lungflag.training.depthwise import quicken
from lungflag.training.lungs import LungCentring, WholeFrame, load_lung_finder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig

    from lungflag.training.datamodule import Batch
    from lungflag.training.recipe import Recipe

WARM_UP = 0.05  # share of a stage's steps


class PneumoniaClassifier(lightning.LightningModule):
    """Trains a `Network` by a `Recipe`.

    Parameters
    ----------
    recipe : Recipe
        Every choice.
    positive_weight : float
        Weight of a positive image's loss.
    """

    def __init__(self, recipe: Recipe, positive_weight: float = 1.0) -> None:
        super().__init__()
        self.recipe = recipe
        self.network = build_network(
            recipe.backbone, weights=recipe.weights, image_size=recipe.image_size
        )
        quicken(self.network.base)
        self.network.to(memory_format=torch.channels_last)
        # With warm-up the average follows the young network closely and settles later.
        self.ema = ModelEmaV3(self.network, recipe.ema, use_warmup=True) if recipe.ema else None
        self.centring = WholeFrame() if recipe.view == "frame" else LungCentring(load_lung_finder())
        self.augmentation = Augmentation(recipe)
        self.register_buffer("positive_weight", torch.tensor(positive_weight), persistent=False)
        self.judged: list[tuple[Tensor, Tensor, Tensor]] = []

    @property
    def shipped(self) -> CentredNetwork:
        """The network that ships: the averaged one where the recipe averages."""
        network = self.ema.module if self.ema else self.network
        return CentredNetwork(
            self.centring, network, self.recipe.image_size, frame_too=self.recipe.view == "both"
        )

    @property
    def frozen(self) -> bool:
        """Whether this epoch trains the head alone."""
        return self.current_epoch < self.recipe.freeze_epochs

    def on_train_epoch_start(self) -> None:
        """Freeze the base, its batch statistics too, or let it go."""
        self.network.train()
        self.network.base.requires_grad_(not self.frozen)
        self.network.base.train(not self.frozen)
        self.centring.eval()

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Return the loss of one augmented batch."""
        # Each step has its own seed: a resumed run draws what an uninterrupted one would have.
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.global_step * 97 + self.global_rank)
        del index
        pixels, labels, noise, _ = batch
        with torch.autocast(self.device.type, enabled=False), torch.no_grad():
            grey = pixels.float() / 255.0
            seen, labels = self.augmentation(grey, *self.centring(grey), labels)
        logit = self.network(seen.contiguous(memory_format=torch.channels_last))[0]
        smooth = torch.clamp(2 * noise, min=self.recipe.label_smoothing)
        loss = binary_cross_entropy_with_logits(
            logit.float(),
            labels * (1 - smooth) + smooth / 2,
            pos_weight=self.positive_weight,  # type: ignore[arg-type]
        )
        self.log("train_loss", loss, prog_bar=True, on_step=False, on_epoch=True, sync_dist=True)
        return loss

    def on_train_batch_end(self, *_: object) -> None:
        """Move the averaged weights."""
        if self.ema:
            self.ema.update(self.network, step=self.global_step)

    def on_validation_epoch_start(self) -> None:
        """Forget what was judged before."""
        self.judged.clear()

    def validation_step(self, batch: Batch, index: int) -> None:
        """Judge a tuning batch with the network that would ship."""
        del index
        pixels, labels, _, places = batch
        self.judged.append((places, self.shipped(pixels.float() / 255.0)[0].float(), labels))

    def on_validation_epoch_end(self) -> None:
        """Measure all processes' judgements together, each image once."""
        # Processes are dealt equally many images, some twice if need be.
        parts = (torch.cat(part) for part in zip(*self.judged, strict=True))
        gathered: Iterator[Any] = (self.all_gather(part) for part in parts)
        places, logits, labels = (each.flatten() for each in gathered)
        logit, label = (values.new_empty(int(places.max()) + 1) for values in (logits, labels))
        logit[places], label[places] = logits, labels
        self.log("tune_loss", binary_cross_entropy_with_logits(logit, label))
        self.log("tune_auroc", binary_auroc(logit, label.int()), prog_bar=True)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return AdamW with a lower rate for the base, warm-up and cosine by stage."""
        recipe = self.recipe
        optimizer = torch.optim.AdamW(
            [
                {"params": list(self.network.base.parameters()), "lr": recipe.lr},
                {"params": list(self.network.head.parameters()), "lr": recipe.head_lr},
            ],
            weight_decay=recipe.weight_decay,
        )
        total = max(1, int(self.trainer.estimated_stepping_batches))
        first = total * recipe.freeze_epochs // recipe.epochs

        def base(step: int) -> float:
            return _rate(step - first, total - first)

        def head(step: int) -> float:
            return _rate(step, first) if step < first else _rate(step - first, total - first)

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, [base, head])
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _rate(step: int, steps: int) -> float:
    """Return the share of the peak rate: linear warm-up, then cosine to zero."""
    if step < 0 or steps <= 0:
        return 0.0
    warm = max(1.0, WARM_UP * steps)
    if step < warm:
        return (step + 1) / (warm + 1)
    return 0.5 * (1 + cos(pi * min(1.0, (step - warm) / max(1.0, steps - warm))))
