from __future__ import annotations

import numpy as np
import pytest

from render_factories import make_camera, make_gaussian, make_random_gaussians
from simengine.errors import RenderBackendError
from simengine.geometry.se3 import make_transform, rotation_from_quaternion
from simengine.render.backend import MAX_ALPHA
from simengine.render.cpu_backend import CpuBackend
from simengine.render.gaussians import FlatGaussians, concatenate
from simengine.render.reference import ReferenceBackend
from simengine.render.rig import nuplan_rig
from simengine.render.sh import from_rgb


def poses(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack(
        [
            make_transform(rotation_from_quaternion(rng.normal(size=4)), rng.normal(size=3))
            for _ in range(count)
        ]
    )


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_equals_the_reference_on_random_scenes(degree):
    # Sizes differ and are no multiples of the tile; some Gaussians surround the camera.
    cameras = [make_camera(70, 45), make_camera(33, 50, 25.0), make_camera(16, 16, 90.0)]
    scene = make_random_gaussians(500, degree, seed=degree)
    world_from_cam = poses(3, degree)
    fast = CpuBackend().render(scene, cameras, world_from_cam, want_depth=True)
    slow = ReferenceBackend().render(scene, cameras, world_from_cam, want_depth=True)
    assert max(image.max() for image in slow.rgb) > 100
    for a, b, da, db in zip(fast.rgb, slow.rgb, fast.depth, slow.depth, strict=True):
        difference = np.abs(a.astype(int) - b)
        # Rounding to bytes may flip; a borderline 1 / 255 contribution may be taken by one and not by the other.
        assert difference.max() <= 2 and (difference > 0).mean() < 0.01
        assert np.quantile(np.abs(da - db), 0.99) < 1e-3


def test_long_thin_gaussians_equal_the_reference():
    rng = np.random.default_rng(5)
    n = 200
    scene = FlatGaussians(
        rng.uniform(-4, 4, (n, 3)) + [0, 0, 5],
        rng.normal(size=(n, 4)),
        np.stack([rng.uniform(0.5, 3.0, n), np.full(n, 0.01), np.full(n, 0.02)], axis=1),
        rng.uniform(0.3, 1.0, n),
        from_rgb(rng.random((n, 3))),
    )
    camera = [make_camera(96, 64)]
    fast, slow = (
        backend.render(scene, camera, np.eye(4)[None]).rgb[0]
        for backend in (CpuBackend(), ReferenceBackend())
    )
    assert np.abs(fast.astype(int) - slow).max() <= 2


def test_results_do_not_depend_on_threads():
    rig = nuplan_rig(160, 90)
    scene = make_random_gaussians(20_000, 1, seed=3, depth=30.0)
    world_from_cam = np.stack([camera.ego_from_cam for camera in rig])
    drawn = [CpuBackend(threads).render(scene, rig, world_from_cam, want_depth=True) for threads in (1, 2, 5)]
    for other in drawn[1:]:
        for a, b in zip(drawn[0].rgb + drawn[0].depth, other.rgb + other.depth, strict=True):
            np.testing.assert_array_equal(a, b)


def test_several_parts_equal_one_set():
    parts = [make_random_gaussians(100, 0, 1), make_random_gaussians(50, 2, 2)]
    args = ([make_camera()], np.eye(4)[None])
    together, apart = CpuBackend().render(concatenate(parts), *args), CpuBackend().render(parts, *args)
    np.testing.assert_array_equal(together.rgb[0], apart.rgb[0])


def test_depth_of_a_flat_wall_is_its_distance():
    grid = np.stack(np.meshgrid(np.arange(-6, 6, 0.25), np.arange(-6, 6, 0.25), [7.0]), axis=-1).reshape(
        -1, 3
    )
    n = len(grid)
    scales = np.tile([0.2, 0.2, 0.001], (n, 1))
    wall = FlatGaussians(
        grid, np.tile([1.0, 0, 0, 0], (n, 1)), scales, np.full(n, 0.99), from_rgb(np.full((n, 3), 0.5))
    )
    drawn = CpuBackend().render(wall, [make_camera()], np.eye(4)[None], want_depth=True)
    np.testing.assert_allclose(drawn.depth[0], 7.0, rtol=1e-5)
    assert (np.abs(drawn.rgb[0].astype(int) - 128) <= 1).all()


def test_equal_depths_keep_their_order():
    # Both lie in one plane; the first in the list is blended first.
    flat = concatenate(
        [make_gaussian((0, 0, 5), 9.0, 1.0, (0, 1, 0)), make_gaussian((0, 0, 5), 9.0, 1.0, (1, 0, 0))]
    )
    pixel = CpuBackend().render(flat, [make_camera()], np.eye(4)[None]).rgb[0][24, 32]
    np.testing.assert_array_equal(pixel, [0, round(255 * MAX_ALPHA), 0])


def test_nothing_to_draw_gives_black():
    for scene in (FlatGaussians.empty(), make_gaussian((0, 0, -3))):
        drawn = CpuBackend().render(
            scene, [make_camera(), make_camera(20, 10)], np.stack([np.eye(4)] * 2), True
        )
        assert [image.shape for image in drawn.rgb] == [(48, 64, 3), (10, 20, 3)]
        assert not any(image.any() for image in drawn.rgb + drawn.depth)
    assert CpuBackend().render(make_gaussian((0, 0, 3)), [], np.zeros((0, 4, 4))).rgb == ()


def test_broken_gaussians_are_skipped():
    broken = FlatGaussians(
        np.array([[np.nan, 0, 5], [0, 0, 5], [0, 0, 5]]),
        np.array([[1.0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]]),
        np.array([[0.1] * 3, [0.1] * 3, [np.inf] * 3]),
        np.ones(3),
        from_rgb(np.ones((3, 3))),
    )
    assert not CpuBackend().render(broken, [make_camera()], np.eye(4)[None]).rgb[0].any()


def test_bad_requests_are_refused():
    with pytest.raises(RenderBackendError, match="one per camera"):
        CpuBackend().render(make_gaussian((0, 0, 5)), [make_camera()], np.eye(4))
    with pytest.raises(RenderBackendError, match="NaN"):
        CpuBackend().render(make_gaussian((0, 0, 5)), [make_camera()], np.full((1, 4, 4), np.nan))
    with pytest.raises(RenderBackendError, match="at least 1"):
        CpuBackend(0)
