from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from render_factories import make_camera, make_gaussian, make_random_gaussians, make_street, states_at
from simengine.errors import RenderBackendError
from simengine.render.gaussians import FlatGaussians
from simengine.render.gsplat_backend import GsplatBackend
from simengine.render.rig import nuplan_rig

MIN_PSNR = 45.0


def psnr(left: np.ndarray, right: np.ndarray) -> float:
    error = np.mean((left.astype(np.float64) - right) ** 2)
    return float(10.0 * np.log10(255.0**2 / max(error, 1e-6)))


def test_missing_parts_are_named_with_a_remedy():
    if importlib.util.find_spec("gsplat") is not None:
        pytest.skip("gsplat is installed here")
    with pytest.raises(RenderBackendError, match=r"install simengine\[gpu\]"):
        GsplatBackend()


@pytest.fixture(scope="module")
def backend() -> GsplatBackend:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return GsplatBackend()


@pytest.mark.gpu
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_random_scene_equals_the_processor(backend, degree):
    from simengine.render.cpu_backend import CpuBackend

    rig = nuplan_rig(480, 270)
    world_from_cam = np.stack([camera.ego_from_cam for camera in rig])
    scene = make_random_gaussians(5_000, degree, seed=degree, depth=30.0)
    fast = backend.render(scene, rig, world_from_cam, want_depth=True)
    slow = CpuBackend().render(scene, rig, world_from_cam, want_depth=True)
    for a, b, da, db in zip(fast.rgb, slow.rgb, fast.depth, slow.depth, strict=True):
        assert a.dtype == np.uint8 and psnr(a, b) > MIN_PSNR
        assert (np.abs(da - db) <= 0.01 * db + 1e-3).mean() > 0.99


@pytest.mark.gpu
def test_lifted_street_equals_the_processor(backend):
    from simengine.render.cpu_backend import CpuBackend
    from simengine.render.renderer import SceneRenderer

    scenario, rig = make_street(), nuplan_rig(640, 360)
    images = []
    for drawer in (backend, CpuBackend()):
        renderer = SceneRenderer(drawer)
        renderer.load(scenario)
        images.append(renderer.render(scenario.ego.pose[15], states_at(scenario, 15), rig, 15))
    assert len(images[0]) == 8
    for name, image in images[0].items():
        assert psnr(image, images[1][name]) > MIN_PSNR, name


@pytest.mark.gpu
def test_sizes_parts_and_empty_scenes(backend):
    cameras = [make_camera(64, 48), make_camera(40, 30), make_camera(64, 48)]
    world_from_cam = np.stack([np.eye(4)] * 3)
    parts = (make_random_gaussians(200, 0, 1), make_random_gaussians(100, 2, 2))
    drawn = backend.render(parts, cameras, world_from_cam)
    again = backend.render(parts, cameras, world_from_cam)
    assert [image.shape for image in drawn.rgb] == [(48, 64, 3), (30, 40, 3), (48, 64, 3)]
    np.testing.assert_array_equal(drawn.rgb[0], again.rgb[2])
    for scene in (FlatGaussians.empty(), make_gaussian((0, 0, -3))):
        assert not any(image.any() for image in backend.render(scene, cameras, world_from_cam).rgb)


@pytest.mark.gpu
def test_device_memory_is_let_go_with_the_scene(backend):
    scene = make_random_gaussians(10)
    before = len(backend._on_device)
    backend.render(scene, [make_camera()], np.eye(4)[None])
    assert len(backend._on_device) == before + 1
    del scene
    assert len(backend._on_device) == before
