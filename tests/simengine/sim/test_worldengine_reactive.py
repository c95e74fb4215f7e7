"""Reactive traffic inside the loop of worldengine_v1: it drives from frame 0 on, whatever it is shown."""

import math

import numpy as np
import pytest

from oracles.worldengine_traffic import PublishedTraffic
from simengine.cli.main import main
from simengine.datatypes.plan import Plan
from simengine.geometry.se2 import shift_forward
from simengine.metrics.table import read_scores_csv
from simengine.scenario.splits import write_split
from simengine.sim.loop import Simulation
from simengine.sim.protocol import WORLDENGINE_V1
from simengine.sim.worldengine import PlanAsDriven, center_motion
from worldengine_factories import make_plans, make_published, read


@pytest.mark.parametrize("seed", range(4))
def test_agents_of_all_twelve_frames_are_those_of_the_second_writing(seed):
    scenario, plans = read(make_published(seed, agents=30)), make_plans(seed)
    simulation = Simulation(WORLDENGINE_V1, PlanAsDriven(), WORLDENGINE_V1.rules.traffic["R"])
    state = simulation.reset(scenario)
    for poses in plans:
        state = simulation.step(state, Plan(poses, 0.1))
    frames = [simulation.past_agents(k) for k in range(3)] + list(state.agent_trail)
    assert len(frames) == 12
    twin, driven = PublishedTraffic(scenario, 0, None), 0
    for k, frame in enumerate(frames):
        assert set(np.flatnonzero(frame.present)) == set(twin.agents), k
        for row, agent in twin.agents.items():
            np.testing.assert_allclose(frame.pose[row, :2], [agent.x, agent.y], atol=1e-7)
            driven += agent.dynamic
        ego = state.ego_trail[k : k + 1]
        speed = math.hypot(*center_motion(ego, scenario.vehicle, 0.5)[0, :2])
        twin.step(*shift_forward(ego[0, :3], scenario.vehicle.rear_axle_to_center), speed)
    assert driven > 10


@pytest.mark.slow
def test_a_run_in_both_kinds_of_traffic(tmp_path):
    write_split([read(make_published(seed, agents=30)) for seed in range(3)], tmp_path / "mine")
    hashes = []
    for policy, traffic in (("trajectory_policy", "NR"), ("idm_policy", "R")):
        words = [
            f"agent_policy={policy}", f"data_file_folder_path={tmp_path}/mine", "with_render_manager=false",
            "with_metric_manager=true", f"output_dir={tmp_path}/{traffic}",
        ]  # fmt: skip
        assert main(["run", "--config-name", "default_runner", *words]) == 0
        rows = read_scores_csv(tmp_path / traffic / "scores.csv")
        assert [(row.status, row.traffic) for row in rows] == [("ok", traffic)] * 3
        name = f"all_scenes_pdm_averages_{traffic}.csv"
        assert (tmp_path / traffic / "openscene_format" / name).read_text().count("\n") == 5
        hashes.append([row.record_hash for row in rows])
    assert set(hashes[0]).isdisjoint(hashes[1])
