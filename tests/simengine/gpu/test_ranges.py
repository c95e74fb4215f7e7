"""Lists in one array, gone through without a loop."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from simengine.gpu.ranges import expand, repeat, upload_ranges  # noqa: E402

CPU = torch.device("cpu")


@pytest.mark.parametrize("room", [None, "exact", "larger"])
@pytest.mark.parametrize("seed", range(5))
def test_every_entry_of_every_list_asked_for(seed: int, room: str | None) -> None:
    rng = np.random.default_rng(seed)
    edges = np.concatenate([[0], np.cumsum(rng.integers(0, 4, 20))])
    asked = rng.integers(0, 20, 50)
    # Behind entry 0, which is nothing.
    expected = [(i, e + 1) for i, k in enumerate(asked) for e in range(edges[k], edges[k + 1])]
    size = {None: None, "exact": len(expected), "larger": len(expected) + 70}[room]
    owner, entry, total = expand(upload_ranges(edges, CPU), torch.from_numpy(asked), size)
    assert int(total) == len(expected)
    pairs = list(zip(owner.tolist(), entry.tolist(), strict=True))
    assert pairs[: len(expected)] == expected
    assert len(pairs) == (size or len(expected))
    # What is left over asks for nothing, and is not all one.
    assert {e for _, e in pairs[len(expected) :]} <= {0}
    assert len({i for i, _ in pairs[len(expected) :]}) in (0, 50)


def test_too_little_room_is_told() -> None:
    ranges, asked = upload_ranges(np.array([0, 3, 5]), CPU), torch.tensor([1, 0, 1])
    owner, entry, total = expand(ranges, asked, 4)
    assert (owner.tolist(), entry.tolist(), int(total)) == ([0, 0, 1, 1], [4, 5, 1, 2], 7)


def test_nothing_asked_for_and_nothing_there() -> None:
    empty = upload_ranges(np.zeros(2, np.int64), CPU)
    for asked in ([], [0, 0, 0]):
        owner, entry, total = expand(empty, torch.tensor(asked, dtype=torch.int64))
        assert len(owner) == len(entry) == int(total) == 0


def test_flags_are_counts_too() -> None:
    flags = torch.tensor([False, True, True, False, True])
    assert repeat(flags).position.tolist() == [1, 2, 4]
    with_room = repeat(flags, 5)
    assert with_room.position[with_room.real].tolist() == [1, 2, 4]
    assert int(with_room.total) == 3
