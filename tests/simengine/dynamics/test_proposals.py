"""Submitted poses become the reference of NAVSIM, microseconds included."""

from pathlib import Path

import numpy as np
import pytest

from factories import shared_data
from simengine.dynamics.proposals import reference_poses, sample_poses, times_us
from simengine.errors import PlanError
from simengine.geometry import se2
from simengine.geometry.angles import wrap

GOLDEN = Path(__file__).parents[2] / "golden" / "pdm"
NOW_US = 1_620_273_006_167_375


def scenes():
    shipped = sorted(path.name for path in GOLDEN.glob("scene_???.npz"))
    return [(GOLDEN, name) for name in shipped] + [(None, f"scene_{i:03d}.npz") for i in range(20)]


@pytest.mark.parametrize(("folder", "name"), scenes())
def test_golden_references(folder, name):
    golden = np.load((folder or shared_data("golden", "pdm")) / name)
    time, expected = int(golden["ego_time_us"]), golden["out_ref_pose"]
    closed_times = time + 100_000 * np.arange(len(golden["out_pdm_trajectory"]))
    closed = sample_poses(
        closed_times, golden["out_pdm_trajectory"][None], times_us(time, np.arange(41) * 0.1)
    )
    submitted = reference_poses(golden["proposal_poses"][:8], 0.5, golden["ego_rear_axle"], time)
    ours = np.concatenate([closed, submitted])
    # Two units in the last place; at map coordinates (1e6 m) the places are equal, which matters most there.
    np.testing.assert_allclose(
        ours, expected, rtol=4e-16, atol=2e-15 + 1e-14 * (np.abs(expected).max() < 1e4) * 3
    )
    if np.abs(expected).max() > 1e5:
        np.testing.assert_array_equal(ours[..., :2], expected[..., :2])


def test_times_are_truncated_after_a_sum_in_seconds():
    seconds = np.arange(41) * 0.1
    expected = [int(1e6 * (s + NOW_US * 1e-6)) for s in seconds]
    assert times_us(NOW_US, seconds).tolist() == expected
    assert (np.diff(expected) != 100_000).any()  # the quirk is real


def test_poses_between_knots_are_linear_and_turn_the_short_way():
    plan = np.array([[[10.0, 0.0, 3.0], [20.0, 5.0, -3.0]]])
    reference = reference_poses(plan, 0.5, np.zeros(3), 0, steps=10)[0]
    assert reference.shape == (11, 3)
    np.testing.assert_allclose(reference[5], plan[0, 0], atol=1e-5)
    # From 3 to -3 rad the short way passes pi: 0.283 rad in 0.5 s.
    np.testing.assert_allclose(wrap(np.diff(reference[5:, 2])), (2.0 * np.pi - 6.0) / 5.0, atol=1e-5)
    np.testing.assert_allclose(np.diff(reference[:6, 0]), 2.0, atol=1e-5)


def test_a_short_plan_is_held_at_its_last_pose():
    start = np.array([3.0, -2.0, 0.8])
    plan = np.array([[4.0, 1.0, 0.2]])
    reference = reference_poses(plan[None], 0.5, start, NOW_US)[0]
    np.testing.assert_allclose(reference[0], start, atol=1e-15)
    np.testing.assert_allclose(reference[5:], np.repeat(se2.to_parent(start, plan), 36, axis=0), atol=1e-4)
    assert (reference[6:] == reference[6]).all()


def test_samplings_of_one_path_give_one_reference():
    start, seconds = np.array([100.0, 50.0, -2.0]), np.arange(1, 41) * 0.1
    dense = np.stack([6.0 * seconds, 0.2 * seconds, np.zeros(40)], axis=1)
    coarse = dense[4::5]
    np.testing.assert_allclose(
        reference_poses(dense[None], 0.1, start, NOW_US)[0, 1:],
        reference_poses(coarse[None], 0.5, start, NOW_US)[0, 1:],
        atol=1e-4,  # a microsecond at 6 m/s is 6e-6 m
    )


def test_batches_and_threads_change_nothing():
    plans = np.random.default_rng(0).normal(0.0, 3.0, (700, 8, 3)).astype(np.float32)
    start = np.array([4e5, 4e6, 1.0])
    whole = reference_poses(plans, 0.5, start, NOW_US, threads=1)
    np.testing.assert_array_equal(reference_poses(plans, 0.5, start, NOW_US, threads=2), whole)
    np.testing.assert_array_equal(reference_poses(plans[17:18], 0.5, start, NOW_US), whole[17:18])


@pytest.mark.parametrize(
    ("shape", "dt", "words"), [((8, 3), 0.5, "shape"), ((2, 0, 3), 0.5, "shape"), ((2, 8, 3), 0.0, "dt")]
)
def test_malformed_plans_are_refused(shape, dt, words):
    with pytest.raises(PlanError, match=words):
        reference_poses(np.zeros(shape), dt, np.zeros(3), 0)
