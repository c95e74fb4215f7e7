import pytest
import torch

from algengine.models.layers.deformable import deformable_sample, sample_by_loop


@pytest.mark.parametrize("seed", range(3))
def test_sampling_equals_the_loop(seed):
    generator = torch.Generator().manual_seed(seed)
    values = [torch.randn(2, 6, 5, 7, generator=generator), torch.randn(2, 6, 3, 4, generator=generator)]
    locations = torch.rand(2, 4, 3, 2, 2, 2, generator=generator) * 1.6 - 0.3  # some fall outside
    weights = torch.rand(2, 4, 3, 2, 2, generator=generator)
    fast = deformable_sample(values, locations, weights)
    assert torch.allclose(fast, sample_by_loop(values, locations, weights), atol=1e-5)


def test_a_cell_centre_reads_its_cell():
    value = torch.arange(12.0).reshape(1, 1, 3, 4)
    place = torch.tensor([(2 + 0.5) / 4, (1 + 0.5) / 3]).reshape(1, 1, 1, 1, 1, 2)
    assert deformable_sample([value], place, torch.ones(1, 1, 1, 1, 1)).item() == pytest.approx(6.0)
