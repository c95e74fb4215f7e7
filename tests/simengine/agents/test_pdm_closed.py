"""PDM-Closed and the brake at the wheel, and how built-in drivers rank."""

from dataclasses import replace

import numpy as np
import pytest

from factories import make_scenario, make_tracks
from simengine.agents.expert import ExpertPolicy
from simengine.agents.pdm_closed import PdmClosedPolicy
from simengine.agents.simple import BrakePolicy, ConstantVelocityPolicy, LogReplayPolicy
from simengine.agents.traffic import LogReplay
from simengine.config.build import build_worker, check, open_handles
from simengine.config.schema import RunConfig
from simengine.datatypes.ego import EgoTrack
from simengine.datatypes.map import VectorMap
from simengine.dynamics.tracking import LqrTracking
from simengine.errors import MapQueryError
from simengine.metrics.episode import score_record
from simengine.pdm_closed.parameters import NAVSIM_PDM_CLOSED
from simengine.sim.loop import Simulation
from simengine.sim.protocol import Protocol
from simengine.sim.record import make_record
from simengine.world.splits import builtin_handles


def drive(scenario, make_policy):
    """Return the record of one episode under the default protocol."""
    simulation = Simulation(Protocol(), LqrTracking(), LogReplay)
    state = simulation.reset(scenario)
    scenario, decisions = simulation.episode.scenario, simulation.protocol.num_decisions
    policy, plans = make_policy(scenario), []
    for _ in range(decisions):
        plans.append(policy.plan(None, state))
        advance = simulation.finish if len(plans) == decisions else simulation.step
        state = advance(state, plans[-1])
    return make_record(
        state, scenario, simulation.protocol, plans, np.zeros(decisions, np.int8), "NR", 0
    ), scenario


def standing(x, y=0.0, frames=66):
    return make_tracks(np.tile([x, y, 0.0], (1, frames, 1)))


def test_plans_are_forty_poses_in_the_ego_frame():
    scenario = make_scenario()
    record, _ = drive(scenario, PdmClosedPolicy)
    assert record.plans.shape == (8, 40, 3)
    assert record.plan_dt == 0.1
    assert (record.plans[:, 0, 0] > 0.5).all()
    assert (record.plans[:, 0, 0] < 2.0).all()


def test_keeps_going_on_a_free_road_without_braking():
    record, _ = drive(make_scenario(), PdmClosedPolicy)
    assert (np.diff(record.ego_states[:, 3]) > -1e-6).all()
    published, _ = drive(make_scenario(), lambda s: PdmClosedPolicy(s, NAVSIM_PDM_CLOSED))
    lost = record.ego_states[-1, 3] - published.ego_states[-1, 3]
    assert lost > 0.3, "published leads brake at the first step of every decision"


def test_stops_behind_a_standing_car_that_it_did_not_know_of():
    record, scenario = drive(make_scenario(agents=standing(38.0)), PdmClosedPolicy)
    score = score_record(record, scenario)
    assert score.no_at_fault_collisions == 1.0
    assert record.ego_states[-1, 3] < 4.0


@pytest.mark.parametrize(
    "changes", [{"map": VectorMap()}, {"route": ("elsewhere",)}], ids=["no map", "no route"]
)
def test_follows_the_logged_path_without_a_route(changes):
    record, _ = drive(make_scenario(frames=100, **changes), PdmClosedPolicy)
    assert record.ego_states[-1, 0] - record.ego_states[0, 0] > 32.0
    np.testing.assert_allclose(record.ego_states[:, 1], 0.0, atol=1e-6)


def test_says_when_there_is_nothing_to_follow():
    frames = 66
    parked = EgoTrack(np.zeros((frames, 3)), np.zeros((frames, 2)), np.zeros((frames, 2)))
    with pytest.raises(MapQueryError, match=r"PDM-Closed cannot plan here.*never moves"):
        PdmClosedPolicy(make_scenario(map=VectorMap(), ego=parked))


def test_the_brake_stops_at_three_metres_per_second_squared():
    scenario = make_scenario(speed=9.0)
    simulation = Simulation(Protocol(), LqrTracking(), LogReplay)
    plan = BrakePolicy().plan(None, simulation.reset(scenario))
    speed = np.diff(plan.poses[:, 0], prepend=0.0) / 0.1
    np.testing.assert_allclose(-np.diff(speed)[:28] / 0.1, 3.0)
    np.testing.assert_allclose(plan.poses[30:, 0], 9.0**2 / 6)
    np.testing.assert_array_equal(plan.poses[:, 1:], 0.0)


def test_a_braking_episode_is_comfortable_and_ends_standing():
    record, scenario = drive(make_scenario(speed=9.0), BrakePolicy)
    assert score_record(record, scenario).comfort == 1.0
    assert abs(record.ego_states[-1, 3]) < 0.5


def test_a_standing_ego_stays():
    state = Simulation(Protocol(), LqrTracking(), LogReplay).reset(make_scenario(speed=0.0))
    np.testing.assert_array_equal(BrakePolicy().plan(None, state).poses, 0.0)
    backwards = replace(state, ego=state.ego - [0, 0, 0, 1, *np.zeros(7)])
    np.testing.assert_array_equal(BrakePolicy().plan(None, backwards).poses, 0.0)


@pytest.mark.parametrize("ego", ["pdm_closed", "brake"])
def test_runs_by_its_name(ego, tmp_path):
    config = RunConfig(split="common_test", ego=ego, output_dir=str(tmp_path), num_scenarios=1)
    config.render.backend = "none"
    check(config)
    row = build_worker(config).run(open_handles(config)[0])
    assert row.status == "ok"
    assert row.score > 0.5


@pytest.mark.slow
def test_drivers_rank_as_one_expects():
    """A dozen common scenes: PDM-Closed well above those that do not look, and not below the replayed log."""
    drivers = {
        "pdm_closed": PdmClosedPolicy,
        "expert": ExpertPolicy,
        "log_replay": LogReplayPolicy,
        "constant_velocity": ConstantVelocityPolicy,
        "brake": BrakePolicy,
    }
    scenes = [handle.load() for handle in list(builtin_handles("common_test"))[:12]]
    mean = {}
    for name, policy in drivers.items():
        scores = [score_record(*drive(scene, policy)).score for scene in scenes]
        assert np.isfinite(scores).all()
        mean[name] = np.mean(scores)
    assert mean["pdm_closed"] >= 0.9
    assert mean["pdm_closed"] > mean["constant_velocity"] + 0.05
    assert mean["pdm_closed"] > mean["brake"] + 0.05
    assert mean["log_replay"] > max(mean["constant_velocity"], mean["brake"])
