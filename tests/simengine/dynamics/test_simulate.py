"""Tracker and bicycle against numbers of the public NAVSIM code, and against an oracle."""

from pathlib import Path

import numpy as np
import pytest

from factories import shared_data
from oracles import tracker as oracle
from simengine.datatypes.ego import StateIndex
from simengine.datatypes.vehicle import VehicleParams
from simengine.dynamics.bicycle import read_car
from simengine.dynamics.proposals import reference_poses, sample_poses, times_us
from simengine.dynamics.reference import ReferenceProfile, reference_profile
from simengine.dynamics.rules import CORRECTED, TrackerRules
from simengine.dynamics.simulate import simulate
from simengine.dynamics.tracker import command
from simengine.errors import PlanError
from tracker_factories import KINDS, make_paths, make_state

GOLDEN = Path(__file__).parents[2] / "golden"
SIMULATED = [0, 1, 2, 3, 5, 7]  # columns of sim_states in a golden scene
PACIFICA = VehicleParams()


@pytest.mark.parametrize("source", ["shipped", "shared"])
def test_golden_trajectories(source):
    shipped = GOLDEN / "dynamics" / "lqr_bicycle.npz"
    golden = np.load(shipped if source == "shipped" else shared_data("golden", "pdm", "lqr_bicycle.npz"))
    for start in np.unique(golden["group"]):
        rows = golden["group"] == start
        poses = golden["ref_pose"][rows]
        profile = reference_profile(poses, 0.1)
        np.testing.assert_allclose(profile.speeds, golden["velocity_profile"][rows], atol=1e-10)
        np.testing.assert_allclose(profile.curvatures[:, :40], golden["curvature_profile"][rows], atol=1e-10)
        states = simulate(golden["initial_state"][start], poses, PACIFICA, 0.1)
        np.testing.assert_allclose(states, golden["sim_states"][rows], atol=1e-10)


def test_golden_commands():
    golden = np.load(shared_data("golden", "pdm", "lqr_bicycle.npz"))
    golden = {name: golden[name] for name in golden.files}
    speeds = golden["velocity_profile"]
    curvatures = np.concatenate(
        [golden["curvature_profile"], golden["curvature_profile"][:, -1:].repeat(9, 1)], 1
    )
    for b, t in np.ndindex(golden["command"].shape[:2]):
        car, pose = read_car(golden["sim_states"][b, t]), tuple(golden["ref_pose"][b, t])
        given = command(car, pose, speeds[b, min(t + 10, 39)], curvatures[b], t, 0.1)
        np.testing.assert_allclose(given, golden["command"][b, t], atol=1e-10)


def golden_scenes():
    shipped = sorted(path.name for path in (GOLDEN / "pdm").glob("scene_???.npz"))
    return [(GOLDEN / "pdm", name) for name in shipped] + [(None, f"scene_{i:03d}.npz") for i in range(20)]


@pytest.mark.parametrize(("folder", "name"), golden_scenes())
def test_golden_scenes(folder, name):
    golden = np.load((folder or shared_data("golden", "pdm")) / name)
    time = int(golden["ego_time_us"])
    # Row 0 follows PDM-Closed, whose samples are 100 ms apart and read at the truncated times of the proposals.
    closed_times = time + 100_000 * np.arange(len(golden["out_pdm_trajectory"]))
    sample_times = times_us(time, np.arange(41) * 0.1)
    closed = sample_poses(closed_times, golden["out_pdm_trajectory"][None], sample_times)
    submitted = reference_poses(golden["proposal_poses"], 0.5, golden["ego_rear_axle"], time)
    states = simulate(golden["sim_initial_state"], np.concatenate([closed, submitted]), PACIFICA, 0.1)
    error = np.abs(states[..., SIMULATED] - golden["sim_states"])
    error[..., 2] = np.abs(oracle.wrap(error[..., 2]))
    assert (error.max((1, 2)) <= np.maximum(1e-6, 10.0 * golden["sim_sensitivity"])).all()
    np.testing.assert_array_equal(states[:, 0], np.broadcast_to(golden["sim_initial_state"], (65, 11)))


@pytest.mark.parametrize("jerk_penalty", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_states_are_those_of_the_oracle(kind, jerk_penalty):
    paths, state = make_paths(kind, 16), make_state(speed=0.1 if kind in ("stopped", "creeping") else 6.0)
    states = simulate(state, paths, PACIFICA, 0.1, rules=TrackerRules(jerk_penalty=jerk_penalty))
    for path, simulated in zip(paths, states, strict=True):
        np.testing.assert_allclose(
            simulated, oracle.simulate(state, path, jerk_penalty=jerk_penalty), atol=1e-7
        )


def test_the_jerk_penalty_decides():
    paths, state = make_paths("ordinary", 16), make_state()
    published = simulate(state, paths, PACIFICA, 0.1)
    meant = simulate(state, paths, PACIFICA, 0.1, rules=TrackerRules(jerk_penalty=True))
    assert np.abs(published[:, -1, :2] - meant[:, -1, :2]).max() > 1e-3


def test_steering_from_the_yaw_rate_starts_in_the_turn():
    state = make_state(speed=8.0)
    state[StateIndex.STEERING_ANGLE], state[StateIndex.ANGULAR_VELOCITY] = 0.0, 0.4
    paths = make_paths("ordinary", 4)
    states = simulate(state, paths, PACIFICA, 0.1, rules=CORRECTED)
    np.testing.assert_array_equal(states[:, 0], np.broadcast_to(state, (4, 11)))
    steering = np.arctan(PACIFICA.wheel_base * 0.4 / 8.0)
    for path, simulated in zip(paths, states, strict=True):
        expected = oracle.simulate(state, path, jerk_penalty=True, first_steering=steering)
        np.testing.assert_allclose(simulated[1:], expected[1:], atol=1e-7)


def test_results_do_not_depend_on_threads_or_batches():
    paths, state = np.concatenate([make_paths(kind, 400) for kind in KINDS]), make_state()
    whole = simulate(state, paths, PACIFICA, 0.1, threads=1)
    assert len(whole) > 2 * 256  # else there is nothing to split
    for threads in (2, 3):
        np.testing.assert_array_equal(simulate(state, paths, PACIFICA, 0.1, threads=threads), whole)
    for first, last in ((0, 1), (1, 8), (8, 300), (300, 2400)):
        np.testing.assert_array_equal(simulate(state, paths[first:last], PACIFICA, 0.1), whole[first:last])


def test_a_profile_made_before_gives_the_same_states():
    paths, state = make_paths("ordinary", 8), make_state()
    profile = reference_profile(paths, 0.1)
    np.testing.assert_array_equal(
        simulate(state, paths, PACIFICA, 0.1, profile=profile), simulate(state, paths, PACIFICA, 0.1)
    )


def test_poses_in_another_frame_are_placed_in_the_world():
    paths, state, frame = make_paths("sharp", 8), make_state(), (40.0, -7.0, 2.5)
    c, s = np.cos(frame[2]), np.sin(frame[2])
    turn = np.array([[c, s], [-s, c]])
    placed = np.concatenate([paths[..., :2] @ turn + frame[:2], paths[..., 2:] + frame[2]], axis=-1)
    state[:2] = state[:2] @ turn + frame[:2]
    state[2] += frame[2]
    np.testing.assert_allclose(
        simulate(state, paths, PACIFICA, 0.1, frame=frame), simulate(state, placed, PACIFICA, 0.1), atol=1e-9
    )


def test_a_stretch_of_steps_is_the_start_of_the_whole():
    paths, state = make_paths("ordinary", 2), make_state()
    whole = simulate(state, paths, PACIFICA, 0.1)
    np.testing.assert_array_equal(simulate(state, paths, PACIFICA, 0.1, steps=5), whole[:, :6])
    np.testing.assert_array_equal(simulate(state, paths, PACIFICA, 0.1, steps=0), whole[:, :1])


def test_arrays_of_other_kinds_are_accepted():
    paths, state = make_paths("ordinary", 3).astype(np.float32), make_state()
    expected = simulate(state, paths.astype(np.float64), PACIFICA, 0.1)
    frozen = np.asfortranarray(paths)
    frozen.flags.writeable = False
    np.testing.assert_array_equal(simulate(state, frozen, PACIFICA, 0.1), expected)


@pytest.mark.parametrize(
    ("shape", "steps"),
    [((41, 3), None), ((2, 1, 3), None), ((2, 41, 2), None), ((2, 41, 3), 41), ((2, 41, 3), -1)],
)
def test_poses_that_do_not_reach_are_refused(shape, steps):
    with pytest.raises(PlanError, match="expected"):
        simulate(make_state(), np.zeros(shape), PACIFICA, 0.1, steps)


def test_a_profile_of_other_poses_is_refused():
    other = ReferenceProfile(np.zeros((2, 39)), np.zeros((2, 48)))
    with pytest.raises(PlanError, match="reference_profile from the same poses"):
        simulate(make_state(), np.zeros((2, 41, 3)), PACIFICA, 0.1, profile=other)
