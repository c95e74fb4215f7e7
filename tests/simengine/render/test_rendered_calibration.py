"""The calibration that leaves the simulator is the one its images were drawn with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from factories import make_scenario
from render_factories import make_gaussian
from simengine.agents.scene_moments import SceneMoments, scene_labels
from simengine.agents.traffic import LogReplay
from simengine.bridge.files.frame_dict import frame_dict
from simengine.datatypes.camera import AXLE_HEIGHT
from simengine.dynamics.tracking import PerfectTracking
from simengine.render.cpu_backend import CpuBackend
from simengine.render.jpeg import JpegPool
from simengine.render.renderer import SceneRenderer
from simengine.render.rig import nuplan_rig
from simengine.render.scene import SplatNode, SplatScene
from simengine.runner.observations import ObservationCollector
from simengine.sim.loop import Simulation
from simengine.sim.protocol import NAVSIM


def refined_rig():
    """Return cameras whose sizes, focal lengths, principal points, lenses and mounts all differ from each other."""
    rig = []
    for k, native in enumerate(nuplan_rig(480, 270, distortion=True)[:3]):
        camera = native.resized(480 - 96 * k, 270 - 54 * k)
        intrinsic = camera.intrinsic * [[1 + 0.02 * k, 1, 1.01], [1, 1 - 0.01 * k, 0.98], [1, 1, 1]]
        mount = camera.ego_from_cam.copy()
        mount[:3, 3] += [0.02 * k, -0.05, 0.03]
        bent = camera.distortion * (1.0 + 0.1 * k)
        rig.append(replace(camera, intrinsic=intrinsic, ego_from_cam=mount, distortion=bent))
    return tuple(rig)


def observe(lens: str, dot_ego: np.ndarray):
    """Return simulation, state and observation of a world with one white dot."""
    scenario = make_scenario()
    start = scenario.ego.pose[scenario.initial_frame]
    cos, sin = np.cos(start[2]), np.sin(start[2])
    place = [
        start[0] + cos * dot_ego[0] - sin * dot_ego[1],
        start[1] + sin * dot_ego[0] + cos * dot_ego[1],
        dot_ego[2],
    ]
    dot = SplatNode("background", make_gaussian(tuple(place), sigma=0.06, rgb=(1, 1, 1)), True)
    renderer = SceneRenderer(CpuBackend(), open_scene=lambda _: SplatScene({"background": dot}), lens=lens)
    simulation = Simulation(NAVSIM, PerfectTracking(), LogReplay, renderer, refined_rig())
    state = simulation.reset(scenario)
    return simulation, state, simulation.observe(state)


def opencv_point(entry: dict, point_axle: np.ndarray) -> np.ndarray:
    """Return where OpenCV's formula puts a point given from the rear axle [px], from an exported camera alone."""
    x, y, z = entry["sensor2lidar_rotation"].T @ (point_axle - entry["sensor2lidar_translation"])
    x, y = x / z, y / z
    k1, k2, p1, p2, k3 = entry["distortion"]
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    u = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    v = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    return (entry["cam_intrinsic"] @ [u, v, 1.0])[:2]


@pytest.mark.parametrize("lens", ["native", "warp"])
def test_exported_numbers_predict_the_pixels(lens):
    for row, dot in enumerate(([12.0, 1.5, 2.5], [6.0, 9.0, 1.0], [-3.0, 8.0, 2.0])):
        simulation, state, observation = observe(lens, np.array(dot))
        labels = scene_labels(simulation.episode.scenario, NAVSIM.history_length, NAVSIM.steps_per_decision)
        moments = SceneMoments(
            simulation.episode.scenario, simulation, NAVSIM.history_length, NAVSIM.steps_per_decision
        )
        frame = frame_dict(labels, moments.moment(NAVSIM.history_length - 1, state, observation), [])
        camera = refined_rig()[row]
        image = observation.images[camera.name][..., 0].astype(float)
        assert image.shape == (camera.height_px, camera.width_px) and image.sum() > 255.0
        rows, columns = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
        found = np.array([(image * columns).sum(), (image * rows).sum()]) / image.sum()
        expected = opencv_point(frame["cams"][camera.name], np.array(dot) - [0, 0, AXLE_HEIGHT])
        np.testing.assert_allclose(found, expected, atol=0.1)


def test_observations_and_records_carry_the_rig():
    _, _, observation = observe("auto", np.array([12.0, 0.0, 1.5]))
    pool = JpegPool(1)
    collector = ObservationCollector(None, pool)
    collector.add(observation)
    pool.close()
    for camera, real in zip(observation.cameras, refined_rig(), strict=True):
        for field in ("intrinsic", "ego_from_cam", "distortion"):
            np.testing.assert_array_equal(getattr(camera, field), getattr(real, field))
        assert observation.images[camera.name].shape == (real.height_px, real.width_px, 3)
    assert len(collector._jpegs[0]) == len(refined_rig())
