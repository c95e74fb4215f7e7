"""Randomness of training as a function of seed, epoch, iteration and rank, never of what was drawn before.

So a resumed run draws what an uninterrupted one would have drawn, whatever was lost with the process, and samples
are augmented the same way by any number of processes and loader workers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sized
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

_STEP, _SAMPLE = 0, 1


class Draw(NamedTuple):
    """Which sample to make.

    Attributes:
        epoch: epoch that asks for it.
        index: row of the dataset.
    """

    epoch: int
    index: int


def seed_step(seed: int, iteration: int, rank: int) -> None:
    """Seed torch (all devices), NumPy and Python for one training step of one process."""
    _seed_all(seed, _STEP, iteration, rank)


def _seed_all(*key: int) -> None:
    words = np.random.SeedSequence(key).generate_state(4)
    torch.manual_seed(int(words[0]) << 31 | int(words[1]) >> 1)
    np.random.seed(words[2])  # noqa: NPY002, libraries draw from it
    random.seed(int(words[3]))


class SeededDataset(Dataset):
    """Makes the samples of `dataset`, each with random numbers of its own.

    Args:
        dataset: takes a row, may draw from the global generators of torch, NumPy and Python.
        seed: of the run.
    """

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self.dataset, self.seed = dataset, seed

    @property
    def metainfo(self) -> dict:
        """Facts about the dataset."""
        return getattr(self.dataset, "metainfo", {})

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, draw: Draw) -> dict:
        """Return the sample of `draw`."""
        _seed_all(self.seed, _SAMPLE, draw.epoch, draw.index)
        return self.dataset[draw.index]


class SeededSampler(Sampler):
    """Tells each sample of `sampler` the epoch, and can start in the middle of one.

    Args:
        sampler: rows of one process; its order depends on `set_epoch` only.

    Attributes:
        skip: samples to leave out at the start of the next pass.
    """

    def __init__(self, sampler: Sampler) -> None:
        self.sampler, self.epoch, self.skip = sampler, 0, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of this epoch."""
        self.epoch = epoch
        if hasattr(self.sampler, "set_epoch"):
            self.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[Draw]:
        return (Draw(self.epoch, index) for index in islice(iter(self.sampler), self.skip, None))

    def __len__(self) -> int:
        sampler: Sized = self.sampler
        return len(sampler)
