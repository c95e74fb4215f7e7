import subprocess
import sys

import numpy as np
import pytest

from alg_factories import make_states
from algengine.datasets.vocabulary import (
    balance,
    coverage,
    load_vocabulary,
    make_vocabulary,
    save_vocabulary,
)
from algengine.errors import RecordingError
from simengine.errors import ConfigError


def futures(count: int = 300) -> np.ndarray:
    rng = np.random.default_rng(0)
    drives = zip(rng.uniform(0, 14, count), rng.normal(0, 0.02, count), strict=True)
    return np.stack([make_states(v, c, 41)[1:, :3] for v, c in drives])


def test_plans_are_recorded_futures_and_a_standstill():
    recorded = futures()
    plans = make_vocabulary(recorded, 32, mirror=False)
    assert plans.shape == (32, 40, 3)
    assert (np.abs(plans).max((1, 2)) == 0).sum() == 1
    known = {row.tobytes() for row in recorded.astype(np.float32)}
    assert sum(plan.tobytes() in known for plan in plans) >= 31
    assert len(np.unique(plans, axis=0)) == 32


def test_same_seed_same_plans_and_mirrored_plans_occur():
    recorded = futures()
    recorded[..., 1:] = np.abs(recorded[..., 1:])  # left turns only
    plans = make_vocabulary(recorded, 48, seed=3)
    assert np.array_equal(plans, make_vocabulary(recorded, 48, seed=3))
    assert (plans[:, -1, 1] < -1).any()
    assert (plans[:, -1, 1] > 1).any()


def test_coverage_grows_with_size():
    recorded = futures()
    small, large = (coverage(recorded, make_vocabulary(recorded, k))[0] for k in (8, 128))
    assert large < 0.5 * small


def test_balance_limits_common_motions():
    common = np.repeat(make_states(8.0, 0.0, 41)[None, 1:, :3], 500, axis=0)
    rare = make_states(8.0, 0.05, 41)[None, 1:, :3]
    kept = balance(np.concatenate([common, rare]), 10, np.random.default_rng(0))
    assert len(kept) == 11
    assert 500 in kept


def test_too_few_futures_is_one_sentence():
    with pytest.raises(RecordingError, match="at least as many"):
        make_vocabulary(futures(5), 64)


@pytest.mark.parametrize(("size", "seed"), [(0, 0), (1, 0), (-3, 0), (16, -1)])
def test_sizes_and_seeds_that_cannot_be_are_one_sentence(size, seed):
    with pytest.raises(ConfigError, match="expected 2 plans or more"):
        make_vocabulary(futures(), size, seed)


def test_round_trip_and_broken_files(tmp_path):
    plans = make_vocabulary(futures(), 16)
    path = tmp_path / "sub" / "plans.npy"
    save_vocabulary(plans, path)
    assert np.array_equal(load_vocabulary(path), plans)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(RecordingError, match="cannot be read"):
        load_vocabulary(path)
    with pytest.raises(RecordingError, match="cannot be read"):
        load_vocabulary(tmp_path / "none.npy")
    np.save(path, np.zeros((4, 3)))
    with pytest.raises(RecordingError, match="shape"):
        load_vocabulary(path)


def test_light_modules_load_no_framework():
    code = (
        "import sys, algengine.datasets.vocabulary, algengine.losses.imitation, algengine.cli.main\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in {'mmengine', 'mmcv', 'mmdet', 'mmdet3d'}]\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
