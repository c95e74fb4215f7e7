"""Images drawn for a planner in the simulator's process, from renderer to record."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import gsplat_fake  # noqa: E402
from device_planner import DevicePlanner  # noqa: E402
from render_factories import make_random_gaussians, make_street  # noqa: E402
from simengine.agents.traffic import LogReplay  # noqa: E402
from simengine.bridge.in_process import InProcessClient  # noqa: E402
from simengine.config.build import build_worker  # noqa: E402
from simengine.config.schema import BridgeConfig, RenderConfig, RunConfig  # noqa: E402
from simengine.dynamics.tracking import PerfectTracking  # noqa: E402
from simengine.render.gsplat_backend import GsplatBackend  # noqa: E402
from simengine.render.jpeg import JpegPool, encode_jpeg  # noqa: E402
from simengine.render.renderer import SceneRenderer  # noqa: E402
from simengine.render.rig import nuplan_rig  # noqa: E402
from simengine.render.scene import SplatNode, SplatScene  # noqa: E402
from simengine.runner.observations import JPEG_QUALITY, ObservationCollector  # noqa: E402
from simengine.sim.loop import Simulation  # noqa: E402
from simengine.sim.protocol import NAVSIM  # noqa: E402


def small_scene(scenario) -> SplatScene:
    return SplatScene({"background": SplatNode("background", make_random_gaussians(60, depth=30.0), True)})


def test_tensors_reach_the_planner_and_arrays_the_record():
    rig = nuplan_rig(48, 27)[:2]
    seen = {}
    for on_device in (True, False):
        renderer = SceneRenderer(
            GsplatBackend("cpu", gsplat_fake), open_scene=small_scene, device_images=on_device
        )
        simulation = Simulation(NAVSIM, PerfectTracking(), LogReplay, renderer, rig)
        observation = simulation.observe(simulation.reset(make_street()))
        planner, pool = DevicePlanner(), JpegPool(1)
        with InProcessClient(planner) as client:
            assert client.wants_device_images
            client.plan(observation)
        kind = torch.Tensor if on_device else np.ndarray
        assert all(isinstance(image, kind) for image in planner.seen[0].values())
        collector = ObservationCollector(None, pool)
        collector.add(observation)
        seen[on_device] = [file.result() for file in collector._jpegs[0]]
        assert seen[on_device] == [encode_jpeg(image, JPEG_QUALITY) for image in planner.seen[0].values()]
        pool.close()
    assert seen[True] == seen[False]


def test_the_planner_decides_what_a_run_draws(tmp_path):
    for function, expected in (("device_planner:make", True), ("bridge_factories:MemoryPlanner", False)):
        config = RunConfig(
            output_dir=str(tmp_path), bridge=BridgeConfig(in_process=function), render=RenderConfig()
        )
        worker = build_worker(config)
        assert worker._simulation._renderer._device_images is expected
        worker.close()
