"""Excuses decided at once against excuses remembered contact by contact."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from simengine.gpu.contacts import Contacts  # noqa: E402
from simengine.gpu.verdicts import excuse_groups, first_contacts, not_excused, order_of  # noqa: E402

ROWS, STATES, LOOKS, TRACKS = 6, 12, 3, 4


def random_contacts(rng: np.random.Generator) -> tuple[Contacts, np.ndarray, np.ndarray]:
    """Return contacts in no order, with flags of which are bad, and kinds."""
    chosen = np.argwhere(rng.random((ROWS, STATES, LOOKS, TRACKS)) < rng.uniform(0.05, 0.6))
    rng.shuffle(chosen)
    row, state, look, track = chosen.T
    table = np.stack([row, state, look, track, track, row * STATES + state])
    bad, kind = rng.random(len(chosen)) < 0.3, rng.integers(0, 3, len(chosen))
    return Contacts(torch.from_numpy(table)), bad, kind


def one_by_one(contacts: Contacts, bad: np.ndarray, ends: bool) -> np.ndarray:
    counted, harmless = np.zeros(len(bad), bool), {}
    row, state, look, track = contacts.table[:4].numpy()
    for i in np.lexsort((track, look, state, row)):
        last = harmless.get((row[i], track[i]))
        excused = last is not None and (not ends or last >= state[i] - 1)
        counted[i] = bad[i] and not excused
        if not counted[i]:
            harmless[row[i], track[i]] = state[i]
    return counted


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_the_same_contacts_count(seed: int, ends: bool) -> None:
    contacts, bad, kind = random_contacts(np.random.default_rng(seed))
    group, groups = excuse_groups(contacts, ends=ends, rows=ROWS, states=STATES, tracks=TRACKS)
    order = order_of(contacts, LOOKS, TRACKS)
    counted = not_excused(torch.from_numpy(bad), order, group, groups)
    expected = one_by_one(contacts, bad, ends)
    np.testing.assert_array_equal(counted.numpy(), expected)
    assert 0 < expected.sum() < bad.sum()

    first = first_contacts(contacts, counted, torch.from_numpy(kind), rows=ROWS, looks=LOOKS, tracks=TRACKS)
    row, state, look, track = contacts.table[:4].numpy()
    for p in range(ROWS):
        mine = np.flatnonzero(expected & (row == p))
        assert bool(first.found[p]) == bool(len(mine))
        if len(mine):
            i = mine[np.lexsort((track[mine], look[mine], state[mine]))[0]]
            found = (first.state[p], first.look[p], first.track[p], first.kind[p])
            assert tuple(int(x) for x in found) == (state[i], look[i], track[i], kind[i])


def test_no_contacts() -> None:
    nothing = Contacts(torch.zeros((6, 0), dtype=torch.int64))
    none = torch.zeros(0, dtype=torch.bool)
    for ends in (False, True):
        group, groups = excuse_groups(nothing, ends=ends, rows=2, states=3, tracks=1)
        assert len(not_excused(none, order_of(nothing, 1, 1), group, groups)) == 0
    first = first_contacts(nothing, none, none.long(), rows=2, looks=1, tracks=1)
    violations = first.violations(first.kind)
    assert violations.first_frame.tolist() == [np.inf, np.inf]
    assert violations.track.tolist() == violations.detail.tolist() == [-1, -1]
