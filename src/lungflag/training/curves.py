"""Learning curves: remembered through a resume, and drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightning
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Epoch = dict[str, float]


class History(lightning.Callback):
    """Keeps each epoch's figures in the checkpoint, so that a resumed run has them all."""

    def __init__(self) -> None:
        self.epochs: list[Epoch] = []

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Note the epoch's figures."""
        del pl_module
        figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.epochs.append({"epoch": float(trainer.current_epoch), **figures})

    def state_dict(self) -> dict[str, Any]:
        """Return the epochs so far, for the checkpoint."""
        return {"epochs": self.epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the epochs of a checkpoint."""
        self.epochs = list(state_dict["epochs"])


def draw_curves(epochs: Sequence[Epoch], freeze_epochs: int, file: Path) -> None:
    """Draw loss and tuning AUROC by epoch into a PNG."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    at = [epoch["epoch"] + 1 for epoch in epochs]
    for name, colour in (("train_loss", "#1b6ca8"), ("tune_loss", "#c8553d")):
        left.plot(
            at, [e.get(name, float("nan")) for e in epochs], "o-", label=name[:-5], color=colour
        )
    left.set(xlabel="epoch", ylabel="binary cross-entropy", ylim=(0, None))
    left.legend(frameon=False)
    auroc = [e.get("tune_auroc", float("nan")) for e in epochs]
    right.plot(at, auroc, "o-", color="#c8553d")
    best = max(range(len(auroc)), key=auroc.__getitem__)
    right.annotate(
        f"{auroc[best]:.4f}",
        (at[best], auroc[best]),
        (0, -16),
        textcoords="offset points",
        ha="center",
    )
    right.set(xlabel="epoch", ylabel="AUROC on the tuning split")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.get_major_locator().set_params(integer=True)
        if freeze_epochs:
            axes.axvspan(0.5, freeze_epochs + 0.5, color="0.93", zorder=0)
    if freeze_epochs:
        left.text(0.6, left.get_ylim()[1] * 0.02, "base frozen", color="0.4", fontsize=8)
    figure.savefig(file, dpi=120)
