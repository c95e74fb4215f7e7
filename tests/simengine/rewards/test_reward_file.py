"""The native file: round trips, memory maps, and every kind of damage told in one sentence."""

import numpy as np
import pytest

from rewards_factories import is_mapped, make_vocabulary
from simengine.errors import ScenarioFormatError
from simengine.files.arrays import read_arrays, write_arrays
from simengine.rewards.columns import COLUMNS, decode, encode
from simengine.rewards.imitation import Imitation
from simengine.rewards.reward_file import FORMAT, FORMAT_VERSION, open_rewards, save_rewards
from simengine.rewards.scores import VocabularyScores, unknown_scores

VOCABULARY = make_vocabulary()
SIZE = VOCABULARY.size


def random_scores(step: int, seed: int = 0) -> VocabularyScores:
    rng = np.random.default_rng((seed, step))
    halves, flags = (lambda: rng.choice([0.0, 0.5, 1.0], SIZE)), (lambda: rng.choice([0.0, 1.0], SIZE))
    share = lambda: rng.random(SIZE)  # noqa: E731
    columns = (halves(), flags(), share(), flags(), flags(), halves(), flags(), share())
    return VocabularyScores("t", step, "navsim_v1", *columns, reference_progress=12.5, reference="pdm_closed")


def write(path, count=3, seed=0):
    scores = [random_scores(step, seed) for step in range(count)]
    targets = [Imitation(step, np.full((8 - step, 2), float(step))) for step in range(count)]
    return save_rewards(path, scores, VOCABULARY, targets, scenario_id="log-t"), scores, targets


def test_round_trip(tmp_path):
    path, scores, targets = write(tmp_path / "t.npz")
    file = open_rewards(path)
    assert (file.token, file.mode, file.steps, file.size) == ("t", "navsim_v1", (0, 1, 2), SIZE)
    assert file.header["vocabulary"] == VOCABULARY.key
    assert file.header["scenario_id"] == "log-t"
    for row, (given, target) in enumerate(zip(scores, targets, strict=True)):
        back = file.scores(row)
        for name in COLUMNS:
            np.testing.assert_array_equal(back.columns[name], given.columns[name].astype(np.float32))
        assert (back.step, back.reference, back.reference_progress) == (row, "pdm_closed", 12.5)
        assert file.imitation(row).index == target.index
        np.testing.assert_array_equal(file.imitation(row).target, target.target)
    file.verify()


def test_numbers_are_views_of_the_mapped_file_and_read_only(tmp_path):
    path, _, _ = write(tmp_path / "t.npz")
    column = open_rewards(path).column("score", 1)
    assert is_mapped(column)
    assert column.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        column[0] = 1.0
    # Anyone can read the file without us, and without pickle.
    with np.load(path, allow_pickle=False) as plain:
        np.testing.assert_array_equal(plain["score"][1], column)


def test_a_file_that_was_written_anew_is_read_anew(tmp_path):
    path, *_ = write(tmp_path / "t.npz")
    before = open_rewards(path).column("score", 1).copy()
    other, *_ = write(tmp_path / "other.npz", seed=1)
    other.replace(path)
    after = open_rewards(path)
    assert not np.array_equal(after.column("score", 1), before)
    after.verify()


def test_an_open_file_costs_one_descriptor(tmp_path):
    from pathlib import Path

    path, _, _ = write(tmp_path / "t.npz")
    before = len(list(Path("/proc/self/fd").iterdir()))
    files = [open_rewards(path) for _ in range(20)]
    assert len(list(Path("/proc/self/fd").iterdir())) - before <= len(files)


def test_equal_rewards_are_equal_bytes(tmp_path):
    one, _, _ = write(tmp_path / "one.npz")
    two, _, _ = write(tmp_path / "two.npz")
    assert one.read_bytes() == two.read_bytes()


def test_unknown_columns_come_back_as_nan_with_their_reason(tmp_path):
    scores = [random_scores(0), unknown_scores("t", 1, "navsim_v1", SIZE, "the log ends")]
    file = open_rewards(save_rewards(tmp_path / "t.npz", scores, VOCABULARY))
    assert not np.isnan(file.column("score", 0)).any()
    assert np.isnan(np.stack(list(file.scores(1).columns.values()))).all()
    assert np.isnan(file.scores(1).reference_progress)
    assert file.unknown(1)["comfort"] == "the log ends"
    assert file.imitation(0).index == -1


@pytest.mark.parametrize("name", COLUMNS)
def test_values_that_cannot_be_kept_are_refused(name):
    values = np.array([0.0, 1.0, 0.3])
    if COLUMNS[name] == np.float32:
        np.testing.assert_array_equal(decode(name, encode(name, values)), values.astype(np.float32))
        return
    for odd in (0.3, 2.0, -1.0):
        with pytest.raises(ScenarioFormatError, match=f"{name} has a value {odd}"):
            encode(name, np.array([1.0, odd]))


def test_every_truncation_is_noticed(tmp_path):
    path, _, _ = write(tmp_path / "t.npz", count=1)
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(ScenarioFormatError, match=r"t\.npz: cannot be read .* make it again"):
            open_rewards(path)


def test_a_flipped_bit_is_found_by_verify(tmp_path):
    path, _, _ = write(tmp_path / "t.npz")
    whole = bytearray(path.read_bytes())
    at = whole.index(np.ascontiguousarray(open_rewards(path).arrays["score"]).tobytes())
    whole[at + 5] ^= 1
    path.write_bytes(whole)
    with pytest.raises(ScenarioFormatError, match="make"):
        open_rewards(path).verify()


def test_another_format_or_version_is_refused(tmp_path):
    path, _, _ = write(tmp_path / "t.npz")
    header, arrays = read_arrays(path, FORMAT, FORMAT_VERSION)
    write_arrays(path, {**header, "version": 99}, arrays, compress=False)
    with pytest.raises(ScenarioFormatError, match="version 99, expected 'simengine-rewards' version 1"):
        open_rewards(path)
    write_arrays(path, header, arrays, compress=True)
    with pytest.raises(ScenarioFormatError, match="compressed"):
        open_rewards(path)


@pytest.mark.parametrize("change", ["drop", "shape", "type", "header"])
def test_arrays_that_do_not_fit_are_refused(change, tmp_path):
    path, _, _ = write(tmp_path / "t.npz")
    header, arrays = read_arrays(path, FORMAT, FORMAT_VERSION)
    if change == "drop":
        del arrays["comfort"]
    elif change == "shape":
        arrays["comfort"] = arrays["comfort"][:, 1:]
    elif change == "type":
        arrays["comfort"] = arrays["comfort"].astype(np.float64)
    else:
        header["unknown"] = []
    write_arrays(path, header, arrays, compress=False)
    with pytest.raises(ScenarioFormatError, match="comfort|unknown"):
        open_rewards(path)
