"""Clouds of a lifted street, and their way into observations and files."""

from __future__ import annotations

import numpy as np
import pytest

from render_factories import make_street, states_at
from simengine.datatypes.vehicle import VehicleParams
from simengine.errors import ConfigError, RenderBackendError
from simengine.export.point_cloud import point_cloud_bytes, read_point_cloud
from simengine.geometry.se2 import to_local
from simengine.render.cpu_backend import CpuBackend
from simengine.render.lidar.pattern import SpinningLidar, nuplan_lidars
from simengine.render.lidar.scanner import make_scanner
from simengine.render.renderer import SceneRenderer


@pytest.fixture(scope="module")
def street():
    scenario = make_street()
    renderer = SceneRenderer(CpuBackend(1))
    renderer.load(scenario)
    scanner = make_scanner("nuplan", renderer, VehicleParams(), threads=2)
    return scenario, scanner


def test_cloud_has_ground_and_the_car_ahead_and_no_sky(street):
    scenario, scanner = street
    cloud = scanner.scan(scenario.ego.pose[15], states_at(scenario, 15), 15)
    assert 20_000 < len(cloud) < nuplan_lidars().num_rays
    assert np.linalg.norm(cloud.points, axis=1).max() < 125.0 and cloud.points[:, 2].min() > -0.3
    beside = np.abs(cloud.points[:, 1]) < 6.0  # the road
    flat = cloud.points[beside & (cloud.ring < 8) & (cloud.sensor == 0), 2]
    assert len(flat) > 500 and np.mean(np.abs(flat) < 0.05) > 0.95
    # The car ahead, box 4.6 x 1.9 x 1.6 m: many points on its surface, hardly any inside.
    center = to_local(scenario.ego.pose[15], scenario.agents.pose[0, 15][None])[0, :2]
    inside = np.abs(cloud.points - [*center, 0.8]) < [2.5, 1.15, 0.75]
    deep = np.abs(cloud.points - [*center, 0.8]) < [1.5, 0.5, 0.3]
    assert inside.all(axis=1).sum() > 80 > 8 * deep.all(axis=1).sum()
    assert set(np.unique(cloud.sensor)) == {0, 1, 2, 3, 4} and cloud.intensity.max() > 100


def test_nobody_who_left_is_seen(street):
    scenario, scanner = street
    agents = states_at(scenario, 15)
    nobody = type(agents)((), agents.types[:0], agents.pose[:0], agents.velocity[:0], agents.size[:0])
    center = to_local(scenario.ego.pose[15], scenario.agents.pose[0, 15][None])[0, :2]

    def count(present):
        points = scanner.scan(scenario.ego.pose[15], present, 15).points
        return int((np.abs(points - [*center, 0.9]) < [2.5, 1.15, 0.6]).all(axis=1).sum())

    assert count(agents) > 80 and count(nobody) == 0


def test_clouds_survive_their_files(street, tmp_path):
    scenario, scanner = street
    cloud = scanner.scan(scenario.ego.pose[15], states_at(scenario, 15), 15)
    (tmp_path / "a.pcd").write_bytes(point_cloud_bytes(cloud))
    again = read_point_cloud(tmp_path / "a.pcd")
    np.testing.assert_allclose(again.points, cloud.points, atol=1e-5)
    for name in ("intensity", "ring", "sensor"):
        np.testing.assert_array_equal(getattr(again, name), getattr(cloud, name))


def test_bad_requests_are_explained(street):
    with pytest.raises(ConfigError, match="expected one of none, nuplan"):
        make_scanner("velodyne", None, VehicleParams())
    with pytest.raises(ConfigError, match="ascending"):
        SpinningLidar("x", 0, (0.0, 0.0, 0.0), (1.0, 0.0), 4)
    with pytest.raises(RenderBackendError, match="at least 1"):
        make_scanner("nuplan", None, VehicleParams(), threads=0)
    with pytest.raises(RenderBackendError, match="call load"):
        scenario = street[0]
        lonely = make_scanner("nuplan", SceneRenderer(CpuBackend(1)), VehicleParams())
        lonely.scan(scenario.ego.pose[15], states_at(scenario, 15), 15)
    assert make_scanner("none", None, VehicleParams()) is None
