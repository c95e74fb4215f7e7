"""The protocol worldengine_v1 against a loop written from the published description, and by hand."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from factories import make_scenario, make_tracks
from oracles import worldengine_loop as published
from simengine.agents.traffic import LogReplay, logged_frame
from simengine.datatypes.agents import AgentType
from simengine.datatypes.ego import EgoTrack, StateIndex
from simengine.datatypes.map import VectorMap
from simengine.datatypes.observation import DrivingCommand
from simengine.datatypes.plan import Plan
from simengine.datatypes.state import AgentFrame
from simengine.datatypes.vehicle import VehicleParams
from simengine.dynamics.tracking import LqrTracking
from simengine.errors import ConfigError, PlanError
from simengine.geometry.angles import wrap
from simengine.geometry.se2 import rotate, shift_forward
from simengine.metrics.episode import score_record
from simengine.runner.run_directory import RunDirectory
from simengine.runner.worker import PolicySource, Worker, WorkerSettings
from simengine.sim.loop import Simulation
from simengine.sim.protocol import WORLDENGINE_V1, protocol_of
from simengine.sim.record import make_record
from simengine.sim.worldengine import LqrInside, PlanAsDriven
from worldengine_factories import make_plans, make_published, read

VEHICLE = VehicleParams()


def make_simulation(traffic=LogReplay, **changes) -> Simulation:
    return Simulation(protocol_of("worldengine_v1", **changes), PlanAsDriven(), traffic)


def drive(simulation: Simulation, scenario, plans):
    """Return the states at the first decision and after each plan, and the observation at each decision."""
    states, seen = [simulation.reset(scenario)], []
    for k, poses in enumerate(plans):
        seen.append(simulation.observe(states[-1]))
        go = simulation.finish if k == len(plans) - 1 else simulation.step
        states.append(go(states[-1], Plan(poses, 0.1)))
    return states, seen


def in_local(scenario, points: np.ndarray, scene: dict) -> np.ndarray:
    """Return points of our world in the local frame of the scenario dictionary."""
    return points + scenario.global_from_world + scene["metadata"]["old_origin_in_current_coordinate"]


@pytest.mark.parametrize("seed", range(6))
def test_every_frame_is_that_of_the_published_loop(seed):
    scene, plans = make_published(seed), make_plans(seed)
    frames = published.episode(scene, lambda frame: plans[frame.step - 3])
    simulation, scenario = make_simulation(), read(scene)
    states, _ = drive(simulation, scenario, plans)
    assert [state.frame for state in states] == list(range(3, 12))
    assert states[-1].ego_trail.shape == (12, 11)
    before = np.zeros(2)
    for frame, ego in zip(frames, states[-1].ego_trail, strict=True):
        center = shift_forward(ego[:3], VEHICLE.rear_axle_to_center)
        np.testing.assert_allclose(in_local(scenario, center[:2], scene), frame.position, atol=1e-8)
        assert wrap(ego[2] - frame.heading) == pytest.approx(0.0, abs=1e-9)
        assert ego[StateIndex.ANGULAR_VELOCITY] == pytest.approx(frame.yaw_rate, abs=1e-9)
        lateral = ego[4] + ego[StateIndex.ANGULAR_VELOCITY] * VEHICLE.rear_axle_to_center
        now = rotate(np.array([ego[3], lateral]), ego[2])
        np.testing.assert_allclose(now, frame.velocity, atol=1e-8)
        np.testing.assert_allclose(
            frame.acceleration, (now - before) / 0.5 if frame.step else [0, 0], atol=1e-7
        )
        before = now
    for state in states:
        assert_agents(simulation, state, scenario, scene, frames[state.frame])
    for frame in frames[:3]:
        past = simulation.past_agents(frame.step)
        ids = simulation.episode.scenario.agents.ids
        assert {ids[i] for i in np.flatnonzero(past.present)} == set(frame.agents)


def assert_agents(simulation, state, scenario, scene, frame):
    agents = simulation.present_agents(state)
    assert set(agents.ids) == set(frame.agents), frame.step
    for row, name in enumerate(agents.ids):
        expected = frame.agents[name]
        np.testing.assert_allclose(
            in_local(scenario, agents.pose[row, :2], scene), expected.position, atol=1e-8
        )
        assert wrap(agents.pose[row, 2] - expected.heading) == pytest.approx(0.0, abs=1e-9)
        np.testing.assert_allclose(agents.velocity[row], expected.velocity, atol=1e-9)
        np.testing.assert_allclose(agents.size[row], expected.size)


def test_somebody_comes_goes_and_is_left_out_in_those_episodes():
    kinds, changes = set(), 0
    for seed in range(6):
        scene = make_published(seed)
        frames = published.episode(scene, lambda frame: np.zeros((40, 3)))
        changes += sum(set(a.agents) != set(b.agents) for a, b in itertools.pairwise(frames))
        kinds |= {agent.kind for frame in frames for agent in frame.agents.values()}
    assert changes > 20
    assert kinds == {"VEHICLE", "TRAFFIC_CONE", "TRAFFIC_BARRIER", "TRAFFIC_OBJECT"}


@pytest.mark.parametrize("seed", [0, 1])
def test_the_planner_is_told_the_motion_of_the_box_centre(seed):
    scene, plans = make_published(seed), make_plans(seed)
    frames = published.episode(scene, lambda frame: plans[frame.step - 3])
    _, seen = drive(make_simulation(), read(scene), plans)
    for k, observation in enumerate(seen):
        recent = frames[k : k + 4]
        assert observation.step == k
        assert observation.history_valid.all()
        for frame, velocity, acceleration in zip(
            recent, observation.velocity_history, observation.acceleration_history, strict=True
        ):
            np.testing.assert_allclose(velocity, frame.in_ego_axes(frame.velocity), atol=1e-8)
            np.testing.assert_allclose(acceleration, frame.in_ego_axes(frame.acceleration), atol=1e-7)


@pytest.mark.parametrize(("name", "last"), [("worldengine_v1", "LEFT"), ("navsim", "FORWARD")])
def test_driving_commands_are_those_of_the_log(name, last):
    # The log drives 40 m along +x and then turns left; the ego stays where it is at the first decision, at x = 12 m,
    # from where the next 20 m lead straight on.
    along = 8.0 * 0.5 * np.arange(24)
    x, y = np.minimum(along, 40.0), np.maximum(along - 40.0, 0.0)
    pose = np.stack([x, y, np.where(along > 40.0, np.pi / 2, 0.0)], axis=1)
    track = EgoTrack(pose, np.tile([8.0, 0.0], (24, 1)), np.zeros((24, 2)))
    scenario = make_scenario(frames=24, dt=0.5, ego=track, map=VectorMap(), route=())
    simulation = Simulation(protocol_of(name, dt=0.5), PlanAsDriven(), LogReplay)
    _, seen = drive(simulation, scenario, np.zeros((8, 40, 3)))
    commands = [DrivingCommand(o.command_history[-1]).name for o in seen]
    assert commands[0] == "FORWARD"
    assert commands[5] == last  # frame 8: the log is at x = 32 m


def record_of(simulation, states, plans, scenario):
    return make_record(
        states[-1],
        simulation.episode.scenario,
        simulation.protocol,
        [Plan(p, 0.1) for p in plans],
        [1] * 8,
        "NR",
        0,
    )


def test_a_record_holds_the_nine_scored_frames_and_no_look_ahead():
    simulation, scenario, plans = make_simulation(), read(make_published()), make_plans(0)
    states, _ = drive(simulation, scenario, plans)
    record = record_of(simulation, states, plans, scenario)
    assert (record.protocol, record.dt) == ("worldengine_v1", 0.5)
    assert record.ego_states.shape == (9, 11)
    assert record.agents.num_frames == 9
    assert record.decision_frames.tolist() == list(range(8))
    np.testing.assert_array_equal(record.timestamps_us, scenario.timestamps_us[3:12])
    assert not np.isin(record.agents.types, [AgentType.PEDESTRIAN, AgentType.CYCLIST]).any()


@pytest.mark.parametrize("mode", ["worldengine_v1", "navsim_v1", "corrected"])
def test_nine_states_can_be_scored_in_every_mode(mode):
    scenario = make_scenario(frames=24, dt=0.5, speed=6.0)
    straight = np.zeros((40, 3))
    straight[:, 0] = 0.6 * np.arange(1, 41)
    simulation = make_simulation()
    states, _ = drive(simulation, scenario, [straight] * 8)
    score = score_record(record_of(simulation, states, [straight] * 8, scenario), scenario, mode)
    assert score.mode == mode
    assert (score.score, score.success, score.first_violation_step, score.reasons) == (1.0, True, -1, {})


def test_velocity_is_where_the_plan_goes_on_and_the_last_difference_repeats():
    # Along x: 1 m in the first half second, then 3 m/s for the next pose only.
    x = np.array([0.2, 0.4, 0.6, 0.8, 1.0, 1.3])
    poses = np.stack([x, 0 * x, 0 * x], axis=1)
    rest = np.zeros(11)
    after = PlanAsDriven().follow(rest, Plan(poses, 0.1), VEHICLE, 0.5, 1)[0]
    np.testing.assert_allclose(after[[0, 3, 5]], [1.0, 3.0, 6.0], atol=1e-9)
    # A plan that ends there has nothing to go on with: 2 m/s, as before.
    after = PlanAsDriven().follow(rest, Plan(poses[:5], 0.1), VEHICLE, 0.5, 1)[0]
    np.testing.assert_allclose(after[[0, 3, 5]], [1.0, 2.0, 4.0], atol=1e-9)


def test_turning_on_the_spot_moves_the_box_centre_only():
    # 0.2 rad/s about the rear axle: the centre, 1.461 m ahead, goes 0.2 * 1.461 m/s to the left.
    yaw = 0.02 * np.arange(1, 41)
    plan = Plan(np.stack([0 * yaw, 0 * yaw, yaw], axis=1), 0.1)
    after = PlanAsDriven().follow(np.zeros(11), plan, VEHICLE, 0.5, 1)
    assert after[0, StateIndex.ANGULAR_VELOCITY] == pytest.approx(0.2)
    # The chord of 0.1 s points 0.01 rad further left than the velocity at its start, hence not exactly 0.
    np.testing.assert_allclose(
        after[0, 3:5], [-0.2 * 1.461 * np.sin(0.01), 0.2 * 1.461 * (np.sin(0.02) / 0.02 - 1)], atol=1e-6
    )


def test_coarse_plans_are_read_between_their_poses():
    x = 4.0 * np.arange(1, 9) * 0.5
    coarse = Plan(np.stack([x, 0 * x, 0 * x], axis=1), 0.5)
    after = PlanAsDriven().follow(np.zeros(11), coarse, VEHICLE, 0.5, 1)[0]
    np.testing.assert_allclose(after[[0, 3]], [2.0, 4.0], atol=1e-9)


def test_plans_that_do_not_reach_the_next_frame_are_refused():
    with pytest.raises(PlanError, match=r"reaches 0\.40 s ahead, expected at least 0\.50 s"):
        PlanAsDriven().follow(np.zeros(11), Plan(np.zeros((4, 3)), 0.1), VEHICLE, 0.5, 1)
    with pytest.raises(ConfigError, match="multiple of 0.1 s"):
        PlanAsDriven().follow(np.zeros(11), Plan(np.zeros((40, 3)), 0.1), VEHICLE, 0.25, 1)


def test_the_tracker_drives_at_10_hz_between_the_frames():
    state = np.zeros(11)
    state[3] = 5.0
    plan = Plan(make_plans(3)[0], 0.1)
    every = LqrTracking().follow(state, plan, VEHICLE, 0.1, 10)
    np.testing.assert_array_equal(LqrInside().follow(state, plan, VEHICLE, 0.5, 2), every[[4, 9]])


class Watching:
    """Traffic that drifts off its log by 1 m with every step it makes, and remembers what it was shown."""

    def __init__(self, scenario):
        self.scenario, self.shown = scenario, []

    def step(self, state):
        self.shown.append((state.frame, state.ego[0], state.agents.pose[:, 1].copy()))
        log = logged_frame(self.scenario.agents, state.frame + 1)
        pose = log.pose.copy()
        pose[:, 1] = state.agents.pose[:, 1] + 1.0
        return AgentFrame(pose, log.velocity, log.present)


def car_ahead(frames: int = 24):
    x = 30.0 + 4.0 * np.arange(frames)
    return make_tracks(np.stack([x, 0 * x, 0 * x], axis=1)[None], dt=0.5)


def test_traffic_moves_by_its_model_from_the_first_frame_of_the_history():
    simulation = make_simulation(Watching)
    state = simulation.reset(make_scenario(frames=24, dt=0.5, agents=car_ahead()))
    # Three steps lead from frame 0 to the first decision, the ego on its log at 8 m/s.
    assert [(frame, x) for frame, x, _ in simulation.episode.traffic.shown] == [(0, 0.0), (1, 4.0), (2, 8.0)]
    assert state.agents.pose[0, 1] == 3.0
    assert len(state.agent_trail) == 1
    assert [simulation.past_agents(k).pose[0, 1] for k in range(3)] == [0.0, 1.0, 2.0]


def test_a_log_with_less_history_starts_with_what_it_has():
    simulation = make_simulation(Watching)
    state = simulation.reset(make_scenario(frames=24, dt=0.5, agents=car_ahead(), initial_frame=1))
    assert state.agents.pose[0, 1] == 1.0
    observation = simulation.observe(state)
    assert observation.history_valid.tolist() == [False, False, True, True]


def test_traffic_of_navsim_replays_its_log_up_to_the_first_decision():
    simulation = Simulation(protocol_of("navsim"), PlanAsDriven(), Watching)
    state = simulation.reset(make_scenario(agents=make_tracks(np.zeros((1, 66, 3)))))
    assert simulation.episode.traffic.shown == []
    assert state.agents.pose[0, 1] == 0.0
    assert simulation.past_agents(3).pose[0, 1] == 0.0


def test_those_left_out_stay_in_the_log_that_rewards_see():
    scenario = read(make_published())
    simulation = make_simulation()
    simulation.reset(scenario)
    episode = simulation.episode
    assert episode.logged is scenario
    assert episode.scenario.agents.ids == scenario.agents.ids
    gone = ~episode.scenario.agents.valid.any(axis=1)
    np.testing.assert_array_equal(
        gone, np.isin(scenario.agents.types, [AgentType.PEDESTRIAN, AgentType.CYCLIST])
    )
    assert gone.any()
    assert not episode.scenario.agents.pose[gone].any()


def test_a_worker_gives_rewards_everybody_and_the_planner_only_those_who_take_part(tmp_path):
    given = {}

    class Recorder:
        def start(self, scenario, traffic):
            given["rewards"] = scenario
            return None

    class Straight:
        def __init__(self, scenario, simulation):
            given["planner"] = scenario

        def plan(self, observation, state):
            return Plan(make_plans(0)[0], 0.1)

    scenario = read(make_published())
    handle = type("Handle", (), {"token": scenario.token, "load": lambda self: scenario})()
    settings = WorkerSettings(0, "NR", "")
    worker = Worker(make_simulation(), PolicySource(Straight), RunDirectory(tmp_path), settings, Recorder())
    row = worker.run(handle)
    assert row.status == "ok", row.error
    walkers = np.isin(scenario.agents.types, [AgentType.PEDESTRIAN, AgentType.CYCLIST])
    assert given["rewards"].agents.valid[walkers].any(axis=1).all()
    assert not given["planner"].agents.valid[walkers].any()


def test_signs_of_construction_zones_are_left_out_too():
    sign = replace(car_ahead(), types=np.array([AgentType.CZONE_SIGN], np.int8))
    simulation = make_simulation()
    state = simulation.reset(make_scenario(frames=24, dt=0.5, agents=sign))
    assert not state.agents.present.any()


def test_fast_logs_are_driven_at_2_hz():
    scenario = make_scenario(frames=116)
    straight = np.zeros((40, 3))
    straight[:, 0] = 0.8 * np.arange(1, 41)
    states, _ = drive(make_simulation(), scenario, [straight] * 8)
    np.testing.assert_allclose(states[-1].ego_trail[:, 0], 4.0 * np.arange(12), atol=1e-9)


def test_numbers_of_a_named_protocol_can_be_changed():
    assert WORLDENGINE_V1.num_decisions == 8
    assert WORLDENGINE_V1.warm_up_steps == 3
    shorter = protocol_of("worldengine_v1", horizon=2.0)
    assert (shorter.num_decisions, shorter.rules) == (4, WORLDENGINE_V1.rules)
    with pytest.raises(ConfigError, match="expected one of navsim, worldengine_v1"):
        protocol_of("carla")
