import numpy as np
import pytest
import torch

from algengine.datasets.frames import resize
from algengine.serving.staging import ImageStaging

pytestmark = pytest.mark.mm
SIZE = (12, 8)


def make_rigs(count: int, size=SIZE) -> list[list[np.ndarray]]:
    rng = np.random.default_rng(count)
    return [
        [rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8) for _ in range(3)] for _ in range(count)
    ]


def test_stacks_and_resizes():
    staging = ImageStaging(torch.device("cpu"), SIZE)
    rigs, large = make_rigs(2), make_rigs(1, (24, 16))
    stacked = staging.stack([*rigs, *large])
    assert stacked.shape == (3, 3, 8, 12, 3) and stacked.dtype == torch.uint8
    assert np.array_equal(stacked[:2].numpy(), np.array(rigs))
    assert np.array_equal(stacked[2].numpy(), [resize(image, SIZE) for image in large[0]])


def test_results_on_the_cpu_stay():
    staging = ImageStaging(torch.device("cpu"), SIZE)
    first = staging.stack(make_rigs(1))
    kept = first.clone()
    staging.stack(make_rigs(2))
    assert torch.equal(first, kept)


@pytest.mark.gpu
def test_images_on_the_host_and_on_the_gpu():
    staging = ImageStaging(torch.device("cuda"), SIZE)
    for count in (2, 3, 1):
        rigs = make_rigs(count)
        mixed = [[torch.from_numpy(image).cuda() for image in rigs[0]], *rigs[1:]]
        stacked = staging.stack(mixed)
        assert stacked.is_cuda
        assert np.array_equal(stacked.cpu().numpy(), np.array(rigs))
