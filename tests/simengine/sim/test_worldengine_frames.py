"""Frames of worldengine_v1 as a planner reads them from the folder: keys, types, shapes, and every moving value."""

import math

import numpy as np
import pytest

from files_factories import GreyRenderer, make_client
from files_reference import FRAMES_PER_SCENE, ReferencePlanner
from oracles import worldengine_loop as published
from simengine.agents.files_planner import FilesPlannerPolicy
from simengine.agents.traffic import LogReplay
from simengine.render.rig import nuplan_rig
from simengine.runner.run_directory import RunDirectory
from simengine.runner.worker import PolicySource, Worker, WorkerSettings
from simengine.sim.loop import Simulation
from simengine.sim.protocol import WORLDENGINE_V1
from simengine.sim.worldengine import PlanAsDriven
from worldengine_factories import make_plans, make_published, read

VOCABULARY = make_plans(7, 16)
# Section 5.2 and 7.2 of the description; n agents.
ARRAYS = {
    "can_bus": ("f8", 18), "ego2global": ("f8", 4, 4), "ego2global_translation": ("f8", 3),
    "ego2global_rotation": ("f8", 4), "lidar2ego": ("f8", 4, 4), "lidar2global": ("f8", 4, 4),
    "lidar2ego_translation": ("f8", 3), "lidar2ego_rotation": ("f8", 4), "driving_command": ("i8", 4),
    "sdc_vel_global": ("f8", 3), "gt_sdc_bbox_lidar": ("f8", 9), "gt_velocity": ("f8", "n", 2),
    "gt_boxes": ("f8", "n", 7), "gt_bboxes_global": ("f8", "n", 9), "gt_inds": ("i8", "n"), "gt_names": ("U", "n"),
    "num_lidar_pts": ("i8", "n"), "valid_flag": ("b1", "n"), "gt_pre_bbox_lidar": ("f4", "n", 3, 9),
    "gt_pre_bbox_mask": ("b1", "n", 3, 1), "gt_fut_bbox_lidar": ("f4", "n", 8, 9),
    "gt_fut_bbox_mask": ("b1", "n", 8, 1), "gt_pre_bbox_sdc_lidar": ("f4", 1, 3, 9),
    "gt_pre_bbox_sdc_global": ("f8", 1, 3, 9), "gt_pre_bbox_sdc_mask": ("b1", 1, 3, 1),
    "gt_pre_command_sdc": ("i8", 1, 3, 1), "gt_fut_bbox_sdc_lidar": ("f4", 1, 8, 9),
    "gt_fut_bbox_sdc_global": ("f8", 1, 8, 9), "gt_fut_bbox_sdc_mask": ("b1", 1, 8, 1),
    "gt_fut_command_sdc": ("i8", 1, 8, 1),
}  # fmt: skip
OTHERS = {
    "token", "frame_idx", "timestamp", "log_name", "log_token", "scene_name", "scene_token", "map_location",
    "roadblock_ids", "vehicle_name", "lidar_path", "ego_dynamic_state", "traffic_lights", "cams", "sample_prev",
    "sample_next", "anns", "occ_gt_final_path", "flow_gt_final_path", "sweeps", "command",
}  # fmt: skip


class Handle:
    def __init__(self, scenario):
        self.token, self._scenario = scenario.token, scenario

    def load(self):
        return self._scenario


@pytest.fixture(scope="module")
def driven(tmp_path_factory):
    """A scene driven by a foreign planner over a folder: dictionary, frames of the planner, frames of the oracle."""
    run = tmp_path_factory.mktemp("run")
    scene = make_published(11)
    client = make_client(run)
    planner = ReferencePlanner(run, VOCABULARY, lambda infos, images: (5 * infos[-1]["frame_idx"]) % 16)
    planner.start()
    simulation = Simulation(WORLDENGINE_V1, PlanAsDriven(), LogReplay, GreyRenderer(), nuplan_rig(64, 36))
    source = PolicySource(
        lambda scenario, stage: FilesPlannerPolicy(client, scenario, stage, 4, 8, 1),
        lambda _: client.finish(),
        client.close,
    )
    worker = Worker(simulation, source, RunDirectory(run / "out"), WorkerSettings(0, "NR", "worldengine_v1"))
    row = worker.run(Handle(read(scene)))
    worker.close()
    planner.join(10.0)
    assert planner.error is None
    assert row.status == "ok", row.error
    expected = published.episode(scene, lambda frame: VOCABULARY[(5 * frame.step) % 16])
    (frames,) = planner.seen.values()
    return scene, frames, expected


def test_keys_types_and_shapes(driven):
    _, frames, expected = driven
    assert [frame["frame_idx"] for frame in frames] == list(range(FRAMES_PER_SCENE))
    for frame, told in zip(frames, expected, strict=True):
        assert set(frame) == {*ARRAYS, *OTHERS}
        n = len(told.agents)
        for key, (dtype, *shape) in ARRAYS.items():
            assert frame[key].shape == tuple(n if s == "n" else s for s in shape), key
            assert frame[key].dtype.str.lstrip("<|").startswith(dtype), key
        assert isinstance(frame["ego_dynamic_state"], list)
        assert [type(frame[key]) for key in ("frame_idx", "timestamp", "command")] == [int] * 3


def test_names_and_times(driven):
    scene, frames, _ = driven
    token = scene["id"].split("-")[-1]
    for k, frame in enumerate(frames):
        assert frame["token"] == f"{scene['metadata']['nuplan_lidar_pc_tokens'][k]}-000"
        assert frame["timestamp"] == scene["base_timestamp"] + 500_000 * k
        assert frame["log_name"] == frame["scene_name"] == scene["id"]
        assert frame["log_token"] == frame["scene_token"] == token
        assert frame["map_location"] == scene["map"]
        assert frame["cams"]["CAM_F0"]["data_path"] == f"{token}/CAM_F0/{frame['token']}.jpg"


def ego_to_global(scene, frame) -> np.ndarray:
    matrix = np.eye(4)
    c, s = math.cos(frame.heading), math.sin(frame.heading)
    matrix[:2, :2] = [[c, -s], [s, c]]
    matrix[:2, 3] = frame.rear_axle - scene["metadata"]["old_origin_in_current_coordinate"]
    return matrix


def test_the_ego_is_where_the_plan_put_it(driven):
    scene, frames, expected = driven
    for frame, told in zip(frames, expected, strict=True):
        ego2global = ego_to_global(scene, told)
        np.testing.assert_allclose(frame["ego2global"], ego2global, atol=1e-6)
        np.testing.assert_allclose(frame["lidar2global"], ego2global @ frame["lidar2ego"], atol=1e-6)
        velocity, acceleration = told.in_ego_axes(told.velocity), told.in_ego_axes(told.acceleration)
        np.testing.assert_allclose(frame["ego_dynamic_state"], [*velocity, *acceleration], atol=1e-7)
        bus = frame["can_bus"]
        np.testing.assert_allclose(bus[:3], ego2global[:3, 3], atol=1e-6)
        half = told.heading / 2
        sign = np.sign(bus[3] * math.cos(half) + bus[6] * math.sin(half))
        np.testing.assert_allclose(bus[3:7] * sign, [math.cos(half), 0, 0, math.sin(half)], atol=1e-9)
        np.testing.assert_allclose(bus[7:10], [*acceleration, 0.0], atol=1e-7)
        np.testing.assert_allclose(bus[10:13], [*velocity, 0.0], atol=1e-7)
        assert bus[15] == pytest.approx(told.yaw_rate, abs=1e-9)
        np.testing.assert_allclose(frame["sdc_vel_global"], [*told.velocity, 0.0], atol=1e-7)


def test_agents_are_boxes_around_the_rear_axle(driven):
    _, frames, expected = driven
    names = {"TRAFFIC_BARRIER": "barrier", "TRAFFIC_OBJECT": "generic_object"}
    for frame, told in zip(frames, expected, strict=True):
        anns = frame["anns"]
        assert sorted(anns["track_tokens"]) == sorted(told.agents)
        assert anns["instance_tokens"] == anns["track_tokens"]
        for row, token in enumerate(anns["track_tokens"]):
            agent = told.agents[token]
            yaw = math.atan2(math.sin(agent.heading - told.heading), math.cos(agent.heading - told.heading))
            x, y = told.in_ego_axes(agent.position - told.rear_axle)
            np.testing.assert_allclose(anns["gt_boxes"][row], [x, y, 0, *agent.size, yaw], atol=1e-6)
            velocity = told.in_ego_axes(agent.velocity)
            np.testing.assert_allclose(anns["gt_velocity_3d"][row], [*velocity, 0], atol=1e-8)
            assert anns["gt_names"][row] == names.get(agent.kind, agent.kind.lower())
        np.testing.assert_array_equal(frame["gt_boxes"], anns["gt_boxes"])
        assert frame["gt_inds"].tolist() == list(range(1, len(told.agents) + 1))


def test_the_past_is_seen_from_the_present(driven):
    scene, frames, expected = driven
    for k, frame in enumerate(frames):
        here = np.linalg.inv(ego_to_global(scene, expected[k]) @ frame["lidar2ego"])
        mask = frame["gt_pre_bbox_sdc_mask"][0, :, 0]
        assert mask.tolist() == [k >= 3, k >= 2, k >= 1]
        for slot in np.flatnonzero(mask):
            then = k - 3 + slot
            origin = here @ ego_to_global(scene, expected[then]) @ frame["lidar2ego"][:, 3]
            box = frame["gt_pre_bbox_sdc_lidar"][0, slot]
            np.testing.assert_allclose(box[:3], origin[:3], atol=1e-4)
            np.testing.assert_allclose(box[3:6], [5.176, 2.297, 1.777], atol=1e-6)
            assert frame["gt_pre_command_sdc"][0, slot, 0] == frames[then]["command"]
