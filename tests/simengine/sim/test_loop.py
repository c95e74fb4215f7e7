"""The closed loop on a straight road: replay, purity, history, look-ahead, and images on demand."""

from dataclasses import replace

import numpy as np
import pytest

from factories import make_scenario, make_tracks
from simengine.agents.simple import ConstantVelocityPolicy, LogReplayPolicy
from simengine.agents.traffic import LogReplay
from simengine.datatypes.observation import DrivingCommand
from simengine.dynamics.tracking import LqrTracking, PerfectTracking
from simengine.errors import ConfigError, ScenarioFormatError
from simengine.render.rig import nuplan_rig
from simengine.sim.loop import Simulation
from simengine.sim.protocol import WORLDENGINE_V1, Protocol, protocol_of
from simengine.sim.record import make_record


def leader(frames: int = 66) -> np.ndarray:
    """Return a vehicle 30 m ahead of the ego of `make_scenario`, at its speed."""
    x = 30.0 + 8.0 * 0.1 * np.arange(frames)
    return make_tracks(np.stack([x, 0 * x, 0 * x], axis=1)[None])


def drive(simulation: Simulation, scenario, policy_type=LogReplayPolicy):
    """Return the final state, plans and observations of one episode."""
    state = simulation.reset(scenario)
    policy = policy_type(simulation.episode.scenario)
    plans, observations = [], []
    for index in range(simulation.protocol.num_decisions):
        observations.append(simulation.observe(state))
        plans.append(policy.plan(observations[-1], state))
        last = index == simulation.protocol.num_decisions - 1
        state = simulation.finish(state, plans[-1]) if last else simulation.step(state, plans[-1])
    return state, plans, observations


def make_simulation(tracker=None, renderer=None, **changes) -> Simulation:
    return Simulation(
        Protocol(**changes), tracker or PerfectTracking(), LogReplay, renderer, nuplan_rig(32, 18)
    )


def test_log_replay_with_perfect_tracking_is_the_log():
    scenario = make_scenario(agents=leader())
    state, plans, observations = drive(make_simulation(), scenario)
    start = scenario.initial_frame
    np.testing.assert_allclose(state.ego_trail[: start + 41, :3], scenario.ego.pose[: start + 41], atol=1e-9)
    record = make_record(
        state, scenario, Protocol(), plans, [int(o.command_history[-1]) for o in observations], "NR", 0
    )
    assert record.ego_states.shape == (41, 11)
    assert record.agents.num_frames == 51
    np.testing.assert_allclose(record.agents.pose[0], scenario.agents.pose[0, start : start + 51], atol=1e-12)
    np.testing.assert_array_equal(record.timestamps_us, scenario.timestamps_us[start : start + 41])


def test_stepping_does_not_change_the_state_it_starts_from():
    scenario = make_scenario(agents=leader())
    simulation = make_simulation(LqrTracking())
    state = simulation.reset(scenario)
    before = [state.ego.copy(), state.ego_trail.copy(), state.agents.pose.copy()]
    plan = ConstantVelocityPolicy(scenario).plan(None, state)
    first, second = simulation.step(state, plan), simulation.step(state, plan)
    for kept, now in zip(before, [state.ego, state.ego_trail, state.agents.pose], strict=True):
        np.testing.assert_array_equal(kept, now)
    np.testing.assert_array_equal(first.ego_trail, second.ego_trail)
    assert first.frame == state.frame + 5


def test_history_is_in_the_present_ego_frame():
    simulation = make_simulation()
    scenario = make_scenario()
    observation = simulation.observe(simulation.reset(scenario))
    # 8 m/s: 12, 8 and 4 m behind at 1.5, 1.0 and 0.5 s before now.
    np.testing.assert_allclose(observation.ego_history[:, 0], [-12.0, -8.0, -4.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(observation.velocity_history, [[8.0, 0.0]] * 4)
    assert observation.history_valid.all()
    assert (observation.command_history == DrivingCommand.FORWARD).all()


def test_missing_history_is_marked():
    simulation = make_simulation()
    observation = simulation.observe(simulation.reset(make_scenario(initial_frame=6)))
    assert observation.history_valid.tolist() == [False, False, True, True]
    assert observation.command_history[0] == DrivingCommand.UNKNOWN


def test_slow_logs_are_resampled_to_the_simulation_rate():
    state, *_ = drive(make_simulation(), make_scenario(frames=14, dt=0.5))
    assert len(state.agent_trail) == 51


def test_a_log_shorter_than_the_horizon_is_refused():
    with pytest.raises(ScenarioFormatError, match="straight has 3.5 s after its first decision"):
        make_simulation().reset(make_scenario(frames=51))


class CountingRenderer:
    """Returns black images and remembers what it was asked for."""

    def __init__(self):
        self.calls = []

    def load(self, scenario):
        self.loaded = scenario.token

    def render(self, ego_pose, agents, cameras, frame_time, ego_motion=None):
        self.calls.append((frame_time, agents.ids))
        return {c.name: np.zeros((c.height_px, c.width_px, 3), np.uint8) for c in cameras}


def test_images_are_rendered_once_per_decision_with_the_agents_present():
    tracks = leader()
    valid = tracks.valid.copy()
    valid[:, 25:] = False
    renderer = CountingRenderer()
    simulation = make_simulation(renderer=renderer)
    _, _, observations = drive(simulation, make_scenario(agents=replace(tracks, valid=valid)))
    assert renderer.loaded == "straight"
    assert [frame for frame, _ in renderer.calls] == list(range(15, 55, 5))
    assert [ids for _, ids in renderer.calls][:3] == [("agent_0",), ("agent_0",), ()]
    assert observations[0].images["CAM_F0"].shape == (18, 32, 3)
    assert [c.name for c in observations[0].cameras] == list(observations[0].images)
    assert [o.step for o in observations] == list(range(8))


@pytest.mark.parametrize(
    "change",
    [{"decision_interval": 0.25}, {"horizon": 4.2}, {"dt": 0.0}, {"history_length": 0}, {"horizon": -1.0}],
)
def test_impossible_protocols_are_refused(change):
    with pytest.raises(ConfigError, match="expected"):
        Protocol(**change)


def test_no_protocol_has_the_name_of_one_and_the_rules_of_another():
    for mixed in ({"name": "worldengine_v1"}, {"rules": WORLDENGINE_V1.rules}):
        with pytest.raises(ConfigError, match="with the rules of another protocol, expected its own"):
            Protocol(**mixed)
    assert protocol_of("worldengine_v1") == WORLDENGINE_V1
    assert protocol_of("worldengine_v1", horizon=2.0).rules is WORLDENGINE_V1.rules
