from dataclasses import replace

import numpy as np

from algengine.table.variants import SHIFT, make_variant
from factories import make_scenario, make_tracks
from simengine.scenario.io import load_scenario, save_scenario

FRAMES, DT, SPEED = 66, 0.1, 5.0
FRAME = np.arange(FRAMES) * DT


def driver(y: float = 30.0, speed: float = SPEED) -> np.ndarray:
    """Return poses (1, T, 3) of somebody who drives along +x."""
    return np.stack([speed * FRAME, np.full(FRAMES, y), np.zeros(FRAMES)], axis=1)[None]


def curved() -> np.ndarray:
    """Return poses (1, T, 3) on an arc, far from the ego."""
    yaw = 0.1 * FRAME
    return np.stack([50.0 * np.sin(yaw), 60.0 - 50.0 * np.cos(yaw), yaw], axis=1)[None]


def test_somebody_who_drives_does_the_same_at_another_time():
    scenario = make_scenario(agents=make_tracks(curved()))
    pose = make_variant(scenario, 0).agents.pose[0]
    shifts = [s for s in range(-8, 9) if abs(s) >= 2]
    inside = {s: slice(max(0, -s), FRAMES - max(0, s)) for s in shifts}
    fits = [
        s
        for s in shifts
        if np.allclose(pose[inside[s]], curved()[0][max(0, s) : FRAMES + min(0, s)], atol=1e-9)
    ]
    assert len(fits) == 1
    assert SHIFT[0] <= abs(fits[0]) * DT <= SHIFT[1]


def test_beyond_the_ends_of_its_log_it_goes_straight_on():
    scenario = make_scenario(agents=make_tracks(driver()))
    agents = make_variant(scenario, 1).agents
    assert agents.valid.all()
    np.testing.assert_allclose(np.diff(agents.pose[0, :, 0]), SPEED * DT, atol=1e-9)
    assert abs(agents.pose[0, 0, 0]) >= SPEED * SHIFT[0] - 1e-9


def test_who_stands_or_would_touch_the_ego_stays_as_logged():
    near = driver(y=3.0, speed=8.0)
    still = np.zeros((1, FRAMES, 3)) + [40.0, 20.0, 0.0]
    scenario = make_scenario(agents=make_tracks(np.concatenate([near, still])))
    agents = make_variant(scenario, 0).agents
    np.testing.assert_array_equal(agents.pose, scenario.agents.pose)
    np.testing.assert_array_equal(agents.valid, scenario.agents.valid)


def test_who_comes_and_leaves_does_so_at_another_time():
    tracks = make_tracks(driver())
    valid = np.zeros((1, FRAMES), bool)
    valid[0, 20:40] = True
    seen = replace(
        tracks, valid=valid, pose=tracks.pose * valid[..., None], velocity=tracks.velocity * valid[..., None]
    )
    agents = make_variant(make_scenario(agents=seen), 0).agents
    frames = np.flatnonzero(agents.valid[0])
    assert len(frames) == 20
    assert 2 <= abs(int(frames[0]) - 20) <= 8
    np.testing.assert_array_equal(agents.pose[0, frames], seen.pose[0, 20:40])
    assert not agents.pose[~agents.valid].any()


def test_a_variant_is_a_scenario_of_its_own_and_always_the_same(tmp_path):
    scenario = make_scenario(agents=make_tracks(driver()))
    first, again, other = (make_variant(scenario, k) for k in (0, 0, 1))
    assert (first.token, other.token) == ("straight_v0", "straight_v1")
    np.testing.assert_array_equal(first.agents.pose, again.agents.pose)
    assert (first.agents.pose != other.agents.pose).any()
    assert first.tags["variant_of"] == scenario.token
    loaded = load_scenario(save_scenario(first, tmp_path / "v.npz"))
    np.testing.assert_array_equal(loaded.agents.pose, first.agents.pose)


def test_a_scenario_without_agents_has_variants_too():
    assert make_variant(make_scenario(), 0).agents.num_agents == 0
