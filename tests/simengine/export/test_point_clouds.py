"""Every exported frame names a point cloud of its moment; observations carry it over the bridge."""

from __future__ import annotations

import errno
import pickle
from dataclasses import replace

import numpy as np
import pytest

from bridge_factories import make_observation
from export_factories import BusyHandle
from files_factories import GreyRenderer
from simengine.agents.simple import LogReplayPolicy
from simengine.agents.traffic import LogReplay
from simengine.bridge.arrays import FrameReader
from simengine.bridge.codec import decode_observation, pack_request
from simengine.bridge.messages import unpack
from simengine.datatypes.lidar import LidarCloud
from simengine.dynamics.tracking import PerfectTracking
from simengine.errors import ScenarioFormatError
from simengine.export.layout import openscene_of
from simengine.export.openscene import OpenSceneRecorder
from simengine.export.point_cloud import points_in_boxes, read_point_cloud
from simengine.files.atomic import write_atomically
from simengine.files.pcd import read_pcd
from simengine.render.rig import nuplan_rig
from simengine.runner.run_directory import RunDirectory
from simengine.runner.worker import PolicySource, Worker, WorkerSettings
from simengine.sim.loop import Simulation
from simengine.sim.protocol import NAVSIM


def make_cloud(count=5, x=0.0):
    points = np.stack([x + np.arange(count), np.ones(count), np.zeros(count)], axis=1).astype(np.float32)
    numbers = np.arange(count, dtype=np.uint8)
    return LidarCloud(points, 10 * numbers, numbers, numbers % 2)


class FrameLidar:
    """Returns points that start at the frame."""

    def scan(self, ego_pose, agents, frame_time):
        return make_cloud(x=float(frame_time))


def drive(run, lidar):
    folder = openscene_of(run)
    simulation = Simulation(
        NAVSIM, PerfectTracking(), LogReplay, GreyRenderer(), nuplan_rig(32, 18), lidar=lidar
    )
    worker = Worker(
        simulation,
        PolicySource(lambda scenario, _: LogReplayPolicy(scenario)),
        RunDirectory(run, folder.root),
        WorkerSettings(0, "NR", "navsim_v1"),
        openscene=OpenSceneRecorder(folder, NAVSIM.history_length, NAVSIM.steps_per_decision),
    )
    return folder, worker.run(BusyHandle("token_0"))


def test_every_frame_names_its_cloud(tmp_path):
    folder, row = drive(tmp_path, FrameLidar())
    assert row.error == ""
    frames = pickle.loads(folder.meta("log-1-token_0").read_bytes())
    assert len(frames) == 12
    for frame in frames:
        step = frame["frame_idx"]
        assert frame["lidar_path"] == f"token-0/MergedPointCloud/token-0-{step:02d}-000.pcd"
        cloud = read_point_cloud(folder.sensor_blobs / frame["lidar_path"])
        np.testing.assert_allclose(cloud.points, make_cloud(x=5.0 * step).points, atol=1e-6)
        np.testing.assert_array_equal(cloud.intensity, make_cloud().intensity)
    columns = read_pcd(folder.sensor_blobs / frames[0]["lidar_path"])
    assert list(columns) == ["x", "y", "z", "intensity", "ring", "lidar_info"]
    # nuPlan's ego frame is at the axle, so the road lies below it.
    np.testing.assert_allclose(columns["z"], -0.38, atol=1e-6)


def test_without_a_lidar_there_is_none(tmp_path):
    folder, row = drive(tmp_path, None)
    assert row.error == ""
    frames = pickle.loads(folder.meta("log-1-token_0").read_bytes())
    assert {frame["lidar_path"] for frame in frames} == {None}
    assert not list(folder.sensor_blobs.rglob("*.pcd"))


def test_a_full_disk_in_a_cloud_leaves_no_half_scenario(tmp_path, monkeypatch):
    def filling(path, content):
        if path.suffix == ".pcd" and path.name.startswith("token-0-07"):
            raise OSError(errno.ENOSPC, "No space left on device")
        write_atomically(path, content)

    monkeypatch.setattr("simengine.export.openscene.write_atomically", filling)
    folder, row = drive(tmp_path, FrameLidar())
    assert "No space left" in row.error and not folder.meta("log-1-token_0").exists()


@pytest.mark.parametrize("count", [0, 5, 70_000])
def test_clouds_cross_the_bridge(count):
    observation = replace(make_observation(), lidar=make_cloud(count))
    message, raw = unpack([bytes(frame) for frame in pack_request(7, observation)])
    cloud = decode_observation(message.observation, FrameReader(raw, message.frame_sizes)).lidar
    for name in ("points", "intensity", "ring", "sensor"):
        np.testing.assert_array_equal(getattr(cloud, name), getattr(observation.lidar, name))


def test_clouds_have_their_shapes():
    with pytest.raises(ScenarioFormatError, match=r"lidar\.ring has shape"):
        replace(make_cloud(), ring=np.zeros(3, np.uint8))
    with pytest.raises(ScenarioFormatError, match="not finite"):
        replace(make_cloud(), points=np.full((5, 3), np.nan, np.float32))


def test_points_in_boxes_by_hand():
    points = np.array(
        [
            [10, 0, 1],
            [12.2, 0, 1],
            [12.4, 0, 1],
            [10, 0.9, 1],
            [10, 1.1, 1],
            [10, 0, 0.01],
            [10, 0, 1.7],
            [-5, 0, 1],
        ],
        np.float32,
    )
    cloud = LidarCloud(points, *(np.zeros(len(points), np.uint8) for _ in range(3)))
    boxes = np.array(
        [[10, 0, 0, 4.6, 2.0, 1.6, 0], [10, 0, 0, 4.6, 2.0, 1.6, np.pi / 2], [40, 0, 0, 4, 2, 2, 0]]
    )
    # Along x: the centre, 12.2 and the one 0.9 m aside; turned: the centre and both that are aside.
    np.testing.assert_array_equal(points_in_boxes(cloud, boxes), [3, 3, 0])
    assert points_in_boxes(cloud, np.zeros((0, 7))).shape == (0,)
