"""Batches for Lightning: cached bytes in, whole batches out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lungflag.training.cache import CachedImage

Batch = tuple[Tensor, Tensor]
"""uint8 pixels (n, 1, s, s) and float32 labels (n,)."""


class CachedDataset(Dataset[Batch]):
    """Cached images by whole batches: one tensor a batch, no collating."""

    def __init__(self, images: Sequence[CachedImage]) -> None:
        self.files = [image.file for image in images]
        self.labels = torch.tensor([float(image.row.positive) for image in images])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Batch:
        return self.__getitems__([index])

    def __getitems__(self, indices: list[int]) -> Batch:
        """Return one batch (PyTorch's protocol for fetching many at once)."""
        pixels = np.stack([np.load(self.files[index]) for index in indices])
        return torch.from_numpy(pixels)[:, None], self.labels[indices]


def _as_it_is(batch: Any) -> Any:
    return batch


class RadiographData(lightning.LightningDataModule):
    """The training and tuning images.

    Parameters
    ----------
    train, tune : Sequence[CachedImage]
        Images of the two splits.
    batch_size : int
        Images a step and device.
    seed : int
        With the epoch's number, fixes the order, so that a resumed run sees the same batches.
    workers : int
        Loader processes.
    """

    def __init__(
        self,
        train: Sequence[CachedImage],
        tune: Sequence[CachedImage],
        *,
        batch_size: int,
        seed: int,
        workers: int,
    ) -> None:
        super().__init__()
        self.train_set, self.tune_set = CachedDataset(train), CachedDataset(tune)
        self.batch_size, self.seed, self.workers = batch_size, seed, workers

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return shuffled training batches, this process's share of them."""
        return self._loader(self.train_set, shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return tuning batches in order."""
        return self._loader(self.tune_set, shuffle=False)

    def _loader(self, dataset: CachedDataset, *, shuffle: bool) -> DataLoader[Batch]:
        replicas, rank = (
            (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        )
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            sampler=DistributedSampler(
                dataset, replicas, rank, shuffle=shuffle, seed=self.seed, drop_last=shuffle
            ),
            drop_last=shuffle,
            num_workers=self.workers,
            collate_fn=_as_it_is,
            persistent_workers=self.workers > 0,
            pin_memory=torch.cuda.is_available(),
        )
