"""Excuses decided at once against excuses remembered contact by contact."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from simengine.gpu.contacts import Contacts  # noqa: E402
from simengine.gpu.verdicts import excuse_groups, first_contacts, not_excused, order_of  # noqa: E402

ROWS, STATES, LOOKS, TRACKS = 6, 12, 3, 4


def random_contacts(rng: np.random.Generator) -> tuple[Contacts, np.ndarray, np.ndarray]:
    """Return contacts in no order, some of them not real, with flags of which are bad, and kinds."""
    happened = np.argwhere(rng.random((ROWS, STATES, LOOKS, TRACKS)) < rng.uniform(0.05, 0.6))
    rng.shuffle(happened)
    row, state, look, track = happened.T
    table = np.stack([row, state, look, track, track, row * STATES + state])
    bad, kind = rng.random(len(happened)) < 0.3, rng.integers(0, 3, len(happened))
    real = torch.from_numpy(rng.random(len(happened)) < 0.9)
    return Contacts(real, *torch.from_numpy(table)), bad, kind


def numbers(contacts: Contacts) -> np.ndarray:
    return torch.stack([contacts.row, contacts.state, contacts.look, contacts.track]).numpy()


def one_by_one(contacts: Contacts, chosen: np.ndarray, bad: np.ndarray, ends: bool) -> np.ndarray:
    counted, harmless = np.zeros(len(bad), bool), {}
    row, state, look, track = numbers(contacts)
    for i in np.lexsort((track, look, state, row)):
        if not chosen[i]:
            continue
        last = harmless.get((row[i], track[i]))
        excused = last is not None and (not ends or last >= state[i] - 1)
        counted[i] = bad[i] and not excused
        if not counted[i]:
            harmless[row[i], track[i]] = state[i]
    return counted


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_the_same_contacts_count(seed: int, ends: bool) -> None:
    rng = np.random.default_rng(seed)
    found, bad, kind = random_contacts(rng)
    chosen = rng.random(len(found)) < 0.8
    contacts = found.where(torch.from_numpy(chosen), ROWS)
    group, groups = excuse_groups(contacts, ends=ends, rows=ROWS, states=STATES, tracks=TRACKS)
    order = order_of(contacts, LOOKS, TRACKS)
    counted = not_excused(torch.from_numpy(bad), order, group, groups)
    chosen &= found.real.numpy()
    expected = one_by_one(found, chosen, bad, ends)
    np.testing.assert_array_equal(counted.numpy()[chosen], expected[chosen])
    assert 0 < expected.sum() < bad.sum()

    first = first_contacts(contacts, counted, torch.from_numpy(kind), rows=ROWS, looks=LOOKS, tracks=TRACKS)
    row, state, look, track = numbers(found)
    for p in range(ROWS):
        mine = np.flatnonzero(expected & (row == p))
        assert bool(first.found[p]) == bool(len(mine))
        if len(mine):
            i = mine[np.lexsort((track[mine], look[mine], state[mine]))[0]]
            violation = (first.state[p], first.look[p], first.track[p], first.kind[p])
            assert tuple(int(x) for x in violation) == (state[i], look[i], track[i], kind[i])


def test_no_contacts() -> None:
    none = torch.zeros(0, dtype=torch.bool)
    nothing = Contacts(none, *torch.zeros((6, 0), dtype=torch.int64))
    for ends in (False, True):
        group, groups = excuse_groups(nothing, ends=ends, rows=2, states=3, tracks=1)
        assert len(not_excused(none, order_of(nothing, 1, 1), group, groups)) == 0
    first = first_contacts(nothing, none, none.long(), rows=2, looks=1, tracks=1)
    violations = first.violations(first.kind)
    assert violations.first_frame.tolist() == [np.inf, np.inf]
    assert violations.track.tolist() == violations.detail.tolist() == [-1, -1]
