import random

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from torch.utils.data import DataLoader, Dataset

from algengine.engine.seeding import Draw, SeededDataset, SeededSampler, seed_step

pytestmark = pytest.mark.mm


def draw() -> tuple[float, float, float]:
    legacy = np.random.rand()  # noqa: NPY002, what is seeded
    return float(torch.rand(())), legacy, random.random()


class Noise(Dataset):
    """Draws from all three generators."""

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return torch.tensor([index, *draw()], dtype=torch.float64)


def epoch(workers: int, number: int = 0, skip: int = 0, seed: int = 3) -> torch.Tensor:
    dataset = Noise()
    sampler = SeededSampler(DefaultSampler(dataset, shuffle=True, seed=seed))
    sampler.set_epoch(number)
    sampler.skip = skip
    loader = DataLoader(SeededDataset(dataset, seed), batch_size=2, sampler=sampler, num_workers=workers)
    assert len(loader) == 6
    return torch.cat(list(loader))


def test_samples_do_not_depend_on_workers_or_on_what_was_drawn_before():
    alone = epoch(0)
    torch.manual_seed(99)
    assert torch.equal(epoch(0), alone)
    assert torch.equal(epoch(2), alone)


def test_an_epoch_can_begin_in_its_middle():
    assert torch.equal(epoch(0, skip=6), epoch(0)[6:])


def test_epochs_and_seeds_and_samples_differ():
    rows = torch.cat([epoch(0), epoch(0, number=1), epoch(0, seed=4)])
    assert (
        len(set(rows[:, 1].tolist())) == len(set(rows[:, 2].tolist())) == len(set(rows[:, 3].tolist())) == 36
    )
    assert epoch(0)[:, 0].tolist() != epoch(0, number=1)[:, 0].tolist()


def test_steps_differ_by_iteration_and_rank_and_repeat():
    def drawn(*key):
        seed_step(*key)
        return draw()

    keys = [(0, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0)]
    values = [drawn(*key) for key in keys]
    assert len({v for row in values for v in row}) == 12
    assert [drawn(*key) for key in keys] == values


def test_facts_of_the_dataset_are_passed_on():
    dataset = Noise()
    assert SeededDataset(dataset, 0).metainfo == {}
    dataset.metainfo = {"cameras": ("CAM_F0",)}
    assert SeededDataset(dataset, 0).metainfo == dataset.metainfo
    assert torch.equal(SeededDataset(dataset, 0)[Draw(0, 3)], SeededDataset(dataset, 0)[Draw(0, 3)])
