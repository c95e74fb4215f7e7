from __future__ import annotations

import pytest

from simengine.config.build import build_worker, check
from simengine.config.schema import RenderConfig, RunConfig
from simengine.errors import ConfigError


def config(tmp_path, **render) -> RunConfig:
    return RunConfig(output_dir=str(tmp_path), ego="log_replay", render=RenderConfig(**render))


def test_keys_reach_the_renderer(tmp_path):
    worker = build_worker(config(tmp_path, lens="native", rolling_shutter=0.02, distortion=True))
    renderer = worker._simulation._renderer
    assert (renderer._lens, renderer._rolling_shutter) == ("native", 0.02)
    assert all(camera.distortion.any() for camera in worker._simulation._cameras)
    worker.close()


def test_the_cameras_of_the_scenario(tmp_path):
    worker = build_worker(config(tmp_path, rig="scenario"))
    assert worker._simulation._cameras is None  # which is the scenario's own
    worker.close()


@pytest.mark.parametrize(
    ("render", "message"),
    [
        ({"lens": "fisheye"}, "render.lens is 'fisheye', expected one of auto, native, warp"),
        ({"rig": "kitti"}, "expected one of nuplan, scenario"),
        ({"rolling_shutter": 3.0}, "expected 0 to 0.2"),
        ({"lens": "warp", "rolling_shutter": 0.03}, "rolling shutter needs native lenses"),
    ],
)
def test_values_that_do_not_fit(tmp_path, render, message):
    with pytest.raises(ConfigError, match=message):
        check(config(tmp_path, **render))
