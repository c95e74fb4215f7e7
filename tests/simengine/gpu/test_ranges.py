"""Lists in one array, gone through without a loop."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from simengine.gpu.ranges import expand, upload_ranges  # noqa: E402

CPU = torch.device("cpu")


@pytest.mark.parametrize("seed", range(5))
def test_every_entry_of_every_list_asked_for(seed: int) -> None:
    rng = np.random.default_rng(seed)
    edges = np.concatenate([[0], np.cumsum(rng.integers(0, 4, 20))])
    asked = rng.integers(0, 21, 50)  # list 20 is the empty one behind the last
    ranges = upload_ranges(edges, CPU)
    owner, entry = expand(ranges, torch.from_numpy(asked))
    expected = [(i, e) for i, k in enumerate(asked) if k < 20 for e in range(edges[k], edges[k + 1])]
    assert list(zip(owner.tolist(), entry.tolist(), strict=True)) == expected
    assert ranges.longest == np.diff(edges).max()


def test_nothing_asked_for_and_nothing_there() -> None:
    empty = upload_ranges(np.zeros(1, np.int64), CPU)
    for asked in ([], [0, 0, 0]):
        owner, entry = expand(empty, torch.tensor(asked, dtype=torch.int64))
        assert len(owner) == len(entry) == 0
