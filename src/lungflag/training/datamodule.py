"""Batches for Lightning: cached bytes in, whole batches out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Sampler

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lungflag.data.manifest import Row
    from lungflag.training.cache import CachedImage

Batch = tuple[Tensor, Tensor, Tensor, Tensor]
"""uint8 pixels (n, 1, s, s), float32 labels (n,), share of wrong labels among their kind (n,), and
the images' places in their split (n,)."""

LABEL_NOISE = "label_noise"
"""A manifest's free column: the share of wrong labels that is known of an image's data set."""


class CachedDataset(Dataset[Batch]):
    """Cached images by whole batches: one tensor a batch, no collating."""

    def __init__(self, images: Sequence[CachedImage]) -> None:
        self.files = [image.file for image in images]
        self.labels = torch.tensor([float(image.row.positive) for image in images])
        noise = [float(image.row.extra.get(LABEL_NOISE, 0) or 0) for image in images]
        self.noise = torch.tensor(noise)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Batch:
        return self.__getitems__([index])

    def __getitems__(self, indices: list[int]) -> Batch:
        """Return one batch (PyTorch's protocol for fetching many at once)."""
        pixels = np.stack([np.load(self.files[index]) for index in indices])
        places = torch.tensor(indices)
        return torch.from_numpy(pixels)[:, None], self.labels[places], self.noise[places], places


def _as_it_is(batch: Any) -> Any:
    return batch


class BalancedOrder(Sampler[int]):
    """As many draws as there are images, by weight, with replacement; another order each epoch."""

    def __init__(self, weights: Tensor, replicas: int, rank: int, *, seed: int) -> None:
        self.weights, self.replicas, self.rank, self.seed = weights, replicas, rank, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Fix the order by the epoch's number (Lightning calls it)."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.weights) // self.replicas

    def __iter__(self) -> Iterator[int]:
        chance = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        drawn = torch.multinomial(self.weights, len(self.weights), True, generator=chance)
        yield from drawn[self.rank :: self.replicas][: len(self)].tolist()


def sampling_weights(rows: Sequence[Row], balance: float) -> Tensor | None:
    """Return each row's chance to be drawn, (n,), or None where `balance` is 0.

    A stratum is a source and, where the manifest says it, a view position: in one hospital the ill
    are imaged lying, in another the well. Within a stratum both labels are equally likely, so that
    neither hospital nor view tells the label; its share is its size to the power of 1 - `balance`.
    """
    if not balance:
        return None
    strata = [(row.source, row.extra.get("view", "")) for row in rows]
    cells = [(stratum, row.label) for stratum, row in zip(strata, rows, strict=True)]
    size, filled = Counter(strata), Counter(cells)
    labels = Counter(stratum for stratum, _ in filled)
    return torch.tensor(
        [
            size[stratum] ** (1 - balance) / (filled[stratum, label] * labels[stratum])
            for stratum, label in cells
        ],
        dtype=torch.float64,
    )


class RadiographData(lightning.LightningDataModule):
    """The training and tuning images.

    Parameters
    ----------
    train, tune : Sequence[CachedImage]
        Images of the two splits.
    batch_size : int
        Images a step and process.
    balance : float
        See `Recipe`.
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
        balance: float,
        seed: int,
        workers: int,
    ) -> None:
        super().__init__()
        self.weights = sampling_weights([image.row for image in train], balance)
        self.train_set, self.tune_set = CachedDataset(train), CachedDataset(tune)
        self.batch_size, self.seed, self.workers = batch_size, seed, workers

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return training batches in random order, this process's share of them."""
        return self._loader(self.train_set, self._order(self.train_set, shuffle=True))

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return tuning batches in order, this process's share of them.

        All processes get equally many, some images twice if need be: the places tell which.
        """
        return self._loader(self.tune_set, self._order(self.tune_set, shuffle=False))

    def _order(self, dataset: CachedDataset, *, shuffle: bool) -> Sampler[int]:
        replicas, rank = (
            (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        )
        if shuffle and self.weights is not None:
            return BalancedOrder(self.weights, replicas, rank, seed=self.seed)
        return DistributedSampler(
            dataset, replicas, rank, shuffle=shuffle, seed=self.seed, drop_last=shuffle
        )

    def _loader(self, dataset: CachedDataset, order: Sampler[int]) -> DataLoader[Batch]:
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            sampler=order,
            drop_last=dataset is self.train_set,
            num_workers=self.workers,
            collate_fn=_as_it_is,
            persistent_workers=self.workers > 0,
            pin_memory=torch.cuda.is_available(),
        )
