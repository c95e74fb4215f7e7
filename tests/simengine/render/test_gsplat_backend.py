from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from render_factories import make_camera, make_gaussian, make_random_gaussians, make_street, states_at
from simengine.errors import RenderBackendError
from simengine.geometry.se3 import transform_from_pose
from simengine.render.backend import RigRequest
from simengine.render.gaussians import FlatGaussians
from simengine.render.gsplat_backend import GsplatBackend
from simengine.render.lift import lift
from simengine.render.rig import nuplan_rig
from simengine.render.shutter import shutter_poses

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


LENSES = ("ignore", "native", "warp", "rolling", "rolling pinhole")


def rig_request(scene, lens: str, size=(480, 270), want_depth=True) -> RigRequest:
    """Return all eight cameras with a lens of the given kind."""
    rig = nuplan_rig(*size, distortion="pinhole" not in lens)
    if "rolling" in lens:
        pose, velocity = np.array([0.5, -0.2, 0.1]), np.array([12.0, 0.3])
        start, end = shutter_poses(rig, pose, velocity, 0.4, 0.03)
        return RigRequest(scene, rig, start, end, lens="auto", want_depth=want_depth)
    poses = np.stack([camera.ego_from_cam for camera in rig])
    return RigRequest(scene, rig, poses, lens=lens, want_depth=want_depth)


@pytest.mark.gpu
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("lens", LENSES)
def test_every_lens_equals_the_processor(backend, lens, degree):
    from simengine.render.cpu_backend import CpuBackend

    request = rig_request(make_random_gaussians(5_000, degree, seed=degree, depth=30.0), lens)
    (fast,), (slow,) = (drawer.render_many([request]) for drawer in (backend, CpuBackend()))
    for camera, a, b, da, db in zip(request.cameras, fast.rgb, slow.rgb, fast.depth, slow.depth, strict=True):
        assert psnr(a, b) > MIN_PSNR, camera.name
        assert (np.abs(da - db) <= 0.01 * db + 1e-3).mean() > 0.99, camera.name


@pytest.mark.gpu
@pytest.mark.parametrize("lens", LENSES)
def test_lifted_street_through_every_lens_equals_the_processor(backend, lens):
    from simengine.render.cpu_backend import CpuBackend

    scenario = make_street()
    scene = lift(scenario)
    request = rig_request(scene.static(), lens, (640, 360), want_depth=False)
    placed = transform_from_pose(scenario.ego.pose[15])
    placed[:3, 3] -= scene.origin
    end = request.end_world_from_cam
    request = replace(
        request,
        world_from_cam=placed @ request.world_from_cam,
        end_world_from_cam=None if end is None else placed @ end,
    )
    (fast,), (slow,) = (drawer.render_many([request]) for drawer in (backend, CpuBackend()))
    for camera, a, b in zip(request.cameras, fast.rgb, slow.rgb, strict=True):
        assert psnr(a, b) > MIN_PSNR, camera.name


@pytest.mark.gpu
def test_several_scenes_in_one_call_equal_one_by_one(backend):
    scenes = [make_random_gaussians(n, d, seed=n, depth=20.0) for n, d in ((4_000, 0), (1_500, 3), (10, 1))]
    requests = [
        rig_request(scene, lens) for scene, lens in zip(scenes, ("native", "warp", "rolling"), strict=True)
    ]
    for request, together in zip(requests, backend.render_many(requests), strict=True):
        (alone,) = backend.render_many([request])
        for a, b in zip(together.rgb, alone.rgb, strict=True):
            assert psnr(a, b) > 60.0  # equal depths may be blended in another order


@pytest.mark.gpu
def test_native_lens_shows_what_gsplats_own_unscented_transform_shows(backend):
    # gsplat leaves out what reaches beyond the image or where the lens shrinks to 0.8; the middle must agree.
    import torch
    from gsplat import rasterization

    from simengine.geometry.se3 import invert

    request = rig_request(make_random_gaussians(5_000, 2, seed=5, depth=30.0), "native", want_depth=False)
    (mine,) = backend.render_many([request])
    scene, cameras = request.gaussians, request.cameras

    def upload(array):
        return torch.from_numpy(np.ascontiguousarray(array, np.float32)).cuda()

    k1, k2, p1, p2, k3 = cameras[0].distortion
    theirs, _, _ = rasterization(
        *(upload(getattr(scene, name)) for name in ("means", "quats", "scales", "opacities", "sh")),
        viewmats=upload(invert(request.world_from_cam)),
        Ks=upload(np.stack([camera.intrinsic for camera in cameras])),
        width=480,
        height=270,
        sh_degree=2,
        packed=False,
        with_ut=True,
        rasterize_mode="antialiased",
        radial_coeffs=upload(np.tile([k1, k2, k3, 0, 0, 0], (8, 1))),
        tangential_coeffs=upload(np.tile([p1, p2], (8, 1))),
    )
    theirs = theirs.clamp(0, 1).mul(255).add(0.5).to(torch.uint8).cpu().numpy()
    middle = (slice(90, 180), slice(160, 320))
    agreement = [psnr(a[middle], b[middle]) for a, b in zip(mine.rgb, theirs, strict=True)]
    assert np.median(agreement) > 35.0


@pytest.mark.gpu
def test_images_stay_on_the_device_when_asked_to(backend):
    request = replace(rig_request(make_random_gaussians(500, 1), "native"), on_device=True)
    (there,) = backend.render_many([request])
    (here,) = backend.render_many([replace(request, on_device=False)])
    for tensor, array in zip(there.rgb + there.depth, here.rgb + here.depth, strict=True):
        assert tensor.is_cuda
        np.testing.assert_array_equal(tensor.cpu().numpy(), array)


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
