"""Native lenses and rolling shutters on the processor against the oracle, the warp, and by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from render_factories import make_camera, make_gaussian, make_random_gaussians, make_street
from simengine.geometry.se3 import make_transform, rotation_from_quaternion, transform_from_pose
from simengine.render.backend import RigRequest
from simengine.render.cpu_backend import CpuBackend
from simengine.render.distortion import make_warp
from simengine.render.gaussians import FlatGaussians
from simengine.render.lens import Lens
from simengine.render.lift import lift
from simengine.render.reference import ReferenceBackend
from simengine.render.rig import DISTORTION, nuplan_rig
from simengine.render.shutter import shutter_poses

FULL = (-0.2, 0.08, 0.002, -0.001, -0.01, 0.05, 0.02, 0.003, 0.001, -0.0005, 0.0008, 0.0002)
LENSES = {"none": (0.0,) * 5, "nuplan": DISTORTION, "pincushion": (0.15, 0.02, 0, 0, 0), "full": FULL}


def psnr(left: np.ndarray, right: np.ndarray) -> float:
    error = np.mean((left.astype(np.float64) - right) ** 2)
    return float(10.0 * np.log10(255.0**2 / max(error, 1e-6)))


def bent(camera, lens: str):
    return replace(camera, distortion=np.array(LENSES[lens]))


def nudge(poses: np.ndarray) -> np.ndarray:
    """Return where cameras are after 0.3 m and two degrees."""
    turn = rotation_from_quaternion(np.array([1.0, 0.004, 0.017, -0.003]))
    return poses @ make_transform(turn, np.array([0.02, -0.03, 0.3]))


@pytest.mark.parametrize("rolling", [False, True])
@pytest.mark.parametrize("lens", LENSES)
@pytest.mark.parametrize("degree", [0, 3])
def test_equals_the_oracle(lens, rolling, degree):
    cameras = [bent(make_camera(70, 45, 55.0), lens), bent(make_camera(33, 50, 30.0), lens)]
    scene = make_random_gaussians(400, degree, seed=degree)
    rng = np.random.default_rng(degree)
    world_from_cam = np.stack(
        [make_transform(rotation_from_quaternion(rng.normal(size=4)), rng.normal(size=3)) for _ in cameras]
    )
    end = nudge(world_from_cam) if rolling else None
    request = RigRequest(scene, cameras, world_from_cam, end, lens="native", want_depth=True)
    (fast,), (slow,) = (backend.render_many([request]) for backend in (CpuBackend(), ReferenceBackend()))
    assert max(image.max() for image in slow.rgb) > 100
    for a, b, da, db in zip(fast.rgb, slow.rgb, fast.depth, slow.depth, strict=True):
        assert psnr(a, b) > 55.0
        assert np.quantile(np.abs(da - db), 0.99) < 1e-3


def lifted_street() -> tuple[FlatGaussians, np.ndarray]:
    scenario = make_street()
    scene = lift(scenario)
    poses = transform_from_pose(scenario.ego.pose[15]) @ np.stack([c.ego_from_cam for c in nuplan_rig()])
    poses[:, :3, 3] -= scene.origin
    return scene.static(), poses


def test_native_shows_what_a_fine_warp_shows():
    # The oracle draws 16 pinhole samples per pixel; native drawing blurs a little more, as any splat of pixel size.
    static, poses = lifted_street()
    rig = nuplan_rig(240, 135, distortion=True)
    (native,) = CpuBackend().render_many([RigRequest(static, rig, poses, lens="native")])
    corners = []
    for camera, pose, image in zip(rig, poses, native.rgb, strict=True):
        warp = make_warp(camera, supersample=4)
        fine = warp.apply(CpuBackend().render(static, [warp.pinhole], pose[None]).rgb[0])
        assert psnr(image, fine) > 33.0, camera.name
        for rows in (slice(0, 30), slice(105, 135)):
            for columns in (slice(0, 30), slice(210, 240)):
                corners.append(psnr(image[rows, columns], fine[rows, columns]))
    # A leaf whose centre lies beyond the fold may be missing from a corner, no more.
    assert np.median(corners) > 38.0 and np.mean(np.array(corners) < 27.0) < 0.1


def test_without_distortion_native_equals_the_pinhole():
    static, poses = lifted_street()
    rig = nuplan_rig(240, 135)
    pinhole = CpuBackend().render(static, rig, poses)
    # Equal start and end poses force the native projection.
    (native,) = CpuBackend().render_many([RigRequest(static, rig, poses, poses, lens="native")])
    for camera, a, b in zip(rig, native.rgb, pinhole.rgb, strict=True):
        assert psnr(a, b) > 45.0, camera.name


def test_a_dot_lands_where_the_lens_puts_it():
    camera = nuplan_rig(480, 270, distortion=True)[0]
    for x, y in ((0.0, 0.0), (0.45, -0.2), (-0.6, 0.3), (0.72, 0.4)):
        dot = make_gaussian((10 * x, 10 * y, 10.0), sigma=0.05, rgb=(1, 1, 1))
        expected = (
            camera.intrinsic[:2, :2] @ Lens.of(camera).distort(np.array([x, y])) + camera.intrinsic[:2, 2]
        )
        for lens in ("native", "warp"):
            (drawn,) = CpuBackend().render_many([RigRequest(dot, [camera], np.eye(4)[None], lens=lens)])
            image = drawn.rgb[0][..., 0].astype(float)
            rows, columns = np.mgrid[:270, :480] + 0.5
            found = np.array([(image * columns).sum(), (image * rows).sum()]) / image.sum()
            np.testing.assert_allclose(found, expected, atol=0.1, err_msg=f"{lens} {x} {y}")


@pytest.mark.parametrize("lens", ["native", "warp"])
def test_nothing_is_drawn_beyond_the_fold(lens):
    # k1 = -0.3, k3 = 0.005: rays beyond the fold come back to the middle of the image, which must stay black.
    camera = replace(make_camera(100, 80, 80.0), distortion=np.array([-0.3, 0.0, 0.0, 0.0, 0.005]))
    fold = Lens.of(camera).fold_radius
    assert fold < 1.5
    for radius in np.linspace(fold * 1.02, 6.0, 12):
        dot = make_gaussian((5.0 * radius, 0.0, 5.0), sigma=0.05, rgb=(1, 1, 1))
        (drawn,) = CpuBackend().render_many([RigRequest(dot, [camera], np.eye(4)[None], lens=lens)])
        assert not drawn.rgb[0].any()


def test_corners_that_no_ray_reaches_stay_black():
    # The lens reaches 0.7 focal lengths; the corners of this image lie 0.9 out.
    camera = replace(make_camera(128, 96, 90.0), distortion=np.array([-0.3, 0.0, 0.0, 0.0, 0.0]))
    grid = np.stack(np.meshgrid(np.arange(-30, 30, 0.5), np.arange(-30, 30, 0.5), [10.0]), -1).reshape(-1, 3)
    n = len(grid)
    wall = FlatGaussians(
        grid,
        np.tile([1.0, 0, 0, 0], (n, 1)),
        np.tile([0.5, 0.5, 0.01], (n, 1)),
        np.ones(n),
        np.full((n, 1, 3), 1.0),
    )
    rows, columns = np.mgrid[:96, :128] + 0.5
    radius = np.hypot(columns - 64.5, rows - 48.5) / 90.0
    for lens in ("native", "warp"):
        (drawn,) = CpuBackend().render_many([RigRequest(wall, [camera], np.eye(4)[None], lens=lens)])
        assert drawn.rgb[0][radius < 0.6].min() > 150, lens
        assert drawn.rgb[0][radius > 0.76].max() < 30, lens


def test_rolling_shutter_leans_a_pole_by_hand():
    # Driving past a pole at 10 m/s, 5 m away, read for 0.1 s: the bottom row is seen 1 m later than the top row,
    # so the pole leans by 1 m / 5 m * 50 px = 10 px over the image. The camera moves to the right.
    camera = make_camera(64, 48, 50.0)
    n = 400
    pole = FlatGaussians(
        np.stack([np.zeros(n), np.linspace(-4, 4, n), np.full(n, 5.0)], axis=1),
        np.tile([1.0, 0, 0, 0], (n, 1)),
        np.full((n, 3), 0.05),
        np.ones(n),
        np.full((n, 1, 3), 1.0),
    )
    start, end = (
        make_transform(np.eye(3), np.array([-0.5, 0, 0])),
        make_transform(np.eye(3), np.array([0.5, 0, 0])),
    )
    (drawn,) = CpuBackend().render_many([RigRequest(pole, [camera], start[None], end[None], lens="native")])
    image = drawn.rgb[0][..., 0].astype(float)
    found = (image * (np.arange(64) + 0.5)).sum(axis=1) / image.sum(axis=1)
    expected = 32.5 - 10.0 * ((np.arange(48) + 0.5) / 48 - 0.5)
    np.testing.assert_allclose(found, expected, atol=0.15)


def test_rolling_shutter_equals_rows_of_still_images():
    static, _ = lifted_street()
    rig = nuplan_rig(160, 90, distortion=True)[:1]
    pose = np.array([8.0 * 1.5, 0.0, 0.0])
    start, end = shutter_poses(rig, pose, np.array([15.0, 0.0]), 0.3, 0.05)
    (rolled,) = CpuBackend().render_many([RigRequest(static, rig, start, end, lens="native")])
    stitched = np.empty_like(rolled.rgb[0])
    for row in range(90):
        share = (row + 0.5) / 90
        now, _ = shutter_poses(rig, pose + [15.0 * 0.05 * (share - 0.5), 0.0, 0.3 * 0.05 * (share - 0.5)],
                               np.zeros(2), 0.0, 0.0)  # fmt: skip
        (still,) = CpuBackend().render_many([RigRequest(static, rig, now, lens="native")])
        stitched[row] = still.rgb[0][row]
    (global_,) = CpuBackend().render_many([RigRequest(static, rig, start, lens="native")])
    assert psnr(rolled.rgb[0], stitched) > 38.0
    assert psnr(rolled.rgb[0], stitched) > psnr(global_.rgb[0], stitched) + 6.0


def test_several_rigs_of_several_scenes_equal_one_by_one():
    backend = CpuBackend()
    a, b = make_random_gaussians(300, 2, 1), make_random_gaussians(200, 0, 2)
    cameras = [make_camera(64, 48), bent(make_camera(40, 30), "nuplan")]
    poses = np.stack([np.eye(4)] * 2)
    requests = [
        RigRequest(a, cameras, poses, lens="native"),
        RigRequest((b, a), cameras[:1], poses[:1], want_depth=True),
        RigRequest(b, cameras, poses, nudge(poses), lens="auto"),
        RigRequest(a, cameras, poses, lens="warp"),
        RigRequest(a, [], np.zeros((0, 4, 4))),
    ]
    together = backend.render_many(requests)
    assert [len(rig.rgb) for rig in together] == [2, 1, 2, 2, 0]
    assert [rig.depth is None for rig in together] == [True, False, True, True, True]
    for request, rig in zip(requests, together, strict=True):
        (alone,) = backend.render_many([request])
        for left, right in zip(rig.rgb, alone.rgb, strict=True):
            np.testing.assert_array_equal(left, right)
