"""Everything of the gsplat backend but gsplat's own kernels, on the processor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import gsplat_fake  # noqa: E402
from render_factories import make_camera, make_gaussian, make_random_gaussians  # noqa: E402
from simengine.geometry.se3 import make_transform, rotation_from_quaternion  # noqa: E402
from simengine.render.backend import RigRequest  # noqa: E402
from simengine.render.cpu_backend import CpuBackend  # noqa: E402
from simengine.render.distortion import make_warp, remap  # noqa: E402
from simengine.render.gaussians import FlatGaussians  # noqa: E402
from simengine.render.gsplat_backend import GsplatBackend  # noqa: E402
from simengine.render.rig import DISTORTION  # noqa: E402
from simengine.render.torch_warp import warp_colors, warp_depth  # noqa: E402

FULL = (-0.2, 0.08, 0.002, -0.001, -0.01, 0.05, 0.02, 0.003, 0.001, -0.0005, 0.0008, 0.0002)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def backend() -> GsplatBackend:
    return GsplatBackend("cpu", gsplat_fake)


def psnr(left: np.ndarray, right: np.ndarray) -> float:
    error = np.mean((np.asarray(left, np.float64) - right) ** 2)
    return float(10.0 * np.log10(255.0**2 / max(error, 1e-6)))


def rig(coefficients=DISTORTION):
    bent = np.array(coefficients)
    cameras = [
        replace(make_camera(64, 48, 55.0), distortion=bent),
        replace(make_camera(33, 50, 30.0), distortion=bent),
    ]
    poses = np.stack(
        [np.eye(4), make_transform(rotation_from_quaternion(np.array([0.8, 0.1, 0.5, 0])), np.ones(3))]
    )
    return cameras, poses


def moved(poses: np.ndarray) -> np.ndarray:
    turn = rotation_from_quaternion(np.array([1.0, 0.004, 0.017, -0.003]))
    return poses @ make_transform(turn, np.array([0.02, -0.03, 0.3]))


@pytest.mark.parametrize("degree", [0, 1, 3])
@pytest.mark.parametrize("lens", ["ignore", "native", "full", "rolling", "warp"])
def test_equals_the_processor(backend, lens, degree):
    cameras, poses = rig(FULL if lens == "full" else DISTORTION)
    scene = make_random_gaussians(250, degree, seed=degree)
    end = moved(poses) if lens == "rolling" else None
    mode = {"full": "native", "rolling": "auto"}.get(lens, lens)
    request = RigRequest(scene, cameras, poses, end, lens=mode, want_depth=True)
    (fast,), (slow,) = (b.render_many([request]) for b in (backend, CpuBackend()))
    assert max(image.max() for image in slow.rgb) > 100
    for a, b, da, db in zip(fast.rgb, slow.rgb, fast.depth, slow.depth, strict=True):
        assert a.dtype == np.uint8 and psnr(a, b) > 45.0
        assert (np.abs(da - db) <= 0.01 * db + 1e-3).mean() > 0.99


def test_several_scenes_parts_and_sizes_in_one_call(backend):
    cameras, poses = rig()
    a, b = make_random_gaussians(150, 2, 1), make_random_gaussians(80, 0, 2)
    requests = [
        RigRequest((a, b), cameras, poses, lens="native"),
        RigRequest(b, cameras[:1], poses[:1], want_depth=True),
        RigRequest(FlatGaussians.empty(), cameras, poses),
        RigRequest((), cameras[:1], poses[:1]),
        RigRequest(a, cameras, poses, moved(poses), lens="auto"),
        RigRequest(make_gaussian((0, 0, -3)), cameras, poses, lens="warp"),
        RigRequest(a, [], np.zeros((0, 4, 4))),
    ]
    together, expected = backend.render_many(requests), CpuBackend().render_many(requests)
    for mine, theirs in zip(together, expected, strict=True):
        assert [i.shape for i in mine.rgb] == [i.shape for i in theirs.rgb]
        assert (mine.depth is None) == (theirs.depth is None)
        assert all(psnr(x, y) > 45.0 for x, y in zip(mine.rgb, theirs.rgb, strict=True))


def test_images_stay_on_the_device_when_asked_to(backend):
    cameras, poses = rig()
    scene = make_random_gaussians(100, 1)
    requests = [RigRequest(scene, cameras, poses, on_device=on, want_depth=True) for on in (True, False)]
    there, here = backend.render_many(requests)
    for tensor, array in zip(there.rgb + there.depth, here.rgb + here.depth, strict=True):
        assert isinstance(tensor, torch.Tensor) and isinstance(array, np.ndarray)
        np.testing.assert_array_equal(tensor.numpy(), array)
        assert not tensor.is_inference()  # planners may train on what they see


def test_device_memory_is_let_go_with_the_scene(backend):
    scene = make_random_gaussians(10)
    before = len(backend._on_device)
    backend.render(scene, [make_camera()], np.eye(4)[None])
    assert len(backend._on_device) == before + 1
    del scene
    assert len(backend._on_device) == before


def test_warp_equals_the_compiled_one():
    # A lens that does not reach the corners, so that some pixels have no place.
    camera = replace(make_camera(64, 48, 45.0), distortion=np.array([-0.3, 0.02, 0.001, 0.002, 0.0]))
    warp = make_warp(camera)
    assert np.isnan(warp.source_px).any()
    height, width = warp.pinhole.height_px, warp.pinhole.width_px
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    places = torch.from_numpy(warp.source_px)
    for supersample in (1, 2, 3):
        mine = warp_colors(torch, torch.from_numpy(image).float(), places, supersample).numpy()
        assert np.abs(mine - remap(image, warp.source_px, supersample)).max() <= 0.51
    depth = np.random.default_rng(1).uniform(1, 9, (height, width)).astype(np.float32)
    np.testing.assert_array_equal(
        warp_depth(torch, torch.from_numpy(depth), places).numpy(), warp.apply_depth(depth)
    )
