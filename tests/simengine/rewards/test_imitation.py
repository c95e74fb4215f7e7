"""Which entry is imitated: over the whole horizon, or by the published look at half a second."""

import numpy as np
import pytest

from rewards_factories import busy_scenario
from simengine.rewards.imitation import nearest_entry, published_entry
from simengine.rewards.published import PublishedLog
from simengine.rewards.vocabulary import Vocabulary

NOW = 15
TIMES = 0.1 * np.arange(1, 41)


def plans(*positions):
    made = np.zeros((len(positions), 40, 3))
    for row, x in enumerate(positions):
        made[row, :, 0] = x
    return Vocabulary(made)


def test_the_whole_horizon_counts_not_the_first_half_second():
    scenario = busy_scenario()  # the logged ego drives at 8 m/s
    brakes_late = np.minimum(8.0 * TIMES, 8.0)
    starts_slowly = np.maximum(8.0 * TIMES - 0.5, 0.0)
    vocabulary = plans(brakes_late, starts_slowly)
    now, pose = int(scenario.timestamps_us[NOW]), scenario.ego.pose[NOW]
    assert nearest_entry(vocabulary, scenario, now, pose).index == 1
    assert published_entry(vocabulary, PublishedLog(scenario), 0, pose).index == 0


def test_target_is_the_logged_rear_axle_in_the_frame_of_the_ego():
    scenario = busy_scenario()
    pose = np.array([12.0, 1.0, 0.5 * np.pi])  # beside the log, heading left
    found = nearest_entry(plans(8.0 * TIMES), scenario, int(scenario.timestamps_us[NOW]), pose)
    expected = np.stack([np.full(8, -1.0), -4.0 * np.arange(1, 9)], axis=1)
    np.testing.assert_allclose(found.target, expected, atol=1e-9)


def test_published_target_is_not_rotated_and_of_the_centre():
    scenario = busy_scenario()
    pose = np.array([12.0, 1.0, 0.5 * np.pi])
    found = published_entry(plans(8.0 * TIMES), PublishedLog(scenario), 0, pose)
    forward = scenario.vehicle.rear_axle_to_center
    expected = np.stack([4.0 * np.arange(1, 9) + forward, np.full(8, -1.0 - forward)], axis=1)
    np.testing.assert_allclose(found.target, expected, atol=1e-9)


def test_time_between_two_frames_of_the_log():
    from simengine.scenario.resample import resample

    scenario = resample(busy_scenario(), 0.5)
    now = int(scenario.timestamps_us[3]) + 200_000
    pose = np.array([12.0 + 1.6, 0.0, 0.0])
    found = nearest_entry(plans(8.0 * TIMES), scenario, now, pose)
    np.testing.assert_allclose(found.target[:, 0], 4.0 * np.arange(1, 9), atol=1e-6)


def test_after_the_log_there_is_nothing_to_imitate():
    scenario = busy_scenario(frames=56)
    end, pose = int(scenario.timestamps_us[-1]), scenario.ego.pose[-1]
    nothing = nearest_entry(plans(8.0 * TIMES), scenario, end, pose)
    assert (nothing.index, len(nothing.target)) == (-1, 0)
    assert published_entry(plans(8.0 * TIMES), PublishedLog(scenario), 8, pose).index == -1
    half_way = nearest_entry(plans(8.0 * TIMES), scenario, end - 2_000_000, scenario.ego.pose[-21])
    assert half_way.index == 0
    assert half_way.target[:, 0] == pytest.approx([4.0, 8.0, 12.0, 16.0])
