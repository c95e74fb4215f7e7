from __future__ import annotations

import numpy as np

from render_factories import make_random_gaussians
from simengine.geometry.se3 import make_transform, rotation_from_quaternion
from simengine.render.cpu_backend import CpuBackend, _view
from simengine.render.cpu_blocks import MIN_BLOCKED, Blocks
from simengine.render.cpu_projection import find_candidates
from simengine.render.gaussians import FlatGaussians
from simengine.render.rig import nuplan_rig


def test_blocks_find_the_same_rows_in_the_same_order():
    rng = np.random.default_rng(0)
    scene = make_random_gaussians(20_000, seed=1, depth=40.0)
    blocks = Blocks.of(scene)
    assert sorted(blocks.rows) == list(range(len(scene)))
    for camera in nuplan_rig(160, 90):
        for _ in range(20):
            pose = make_transform(rotation_from_quaternion(rng.normal(size=4)), rng.normal(0.0, 15.0, 3))
            view = _view(camera, pose)
            np.testing.assert_array_equal(
                blocks.candidates(view), find_candidates(scene.means, scene.scales, view)
            )


def test_most_blocks_are_skipped():
    scene = make_random_gaussians(20_000, seed=2, depth=60.0)
    view = _view(nuplan_rig(160, 90)[0], nuplan_rig()[0].ego_from_cam)
    found = find_candidates(scene.means, scene.scales, view)
    assert 0 < len(found) < len(scene) / 4


def test_broken_gaussians_are_in_no_block():
    scene = make_random_gaussians(MIN_BLOCKED, seed=3, depth=10.0)
    means, scales = scene.means.copy(), scene.scales.copy()
    means[5], scales[9] = np.nan, np.inf
    broken = FlatGaussians(means, scene.quats, scales, scene.opacities, scene.sh)
    assert set(range(len(scene))) - set(Blocks.of(broken).rows.tolist()) == {5, 9}
    assert len(Blocks.of(FlatGaussians.empty()).rows) == 0


def test_images_do_not_change_once_a_scene_is_sorted():
    rig, backend = nuplan_rig(160, 90), CpuBackend()
    poses = np.stack([camera.ego_from_cam for camera in rig])
    static, moving = make_random_gaussians(20_000, 1, 4, 30.0), make_random_gaussians(500, 0, 5, 10.0)
    first, *later = (backend.render((static, moving), rig, poses, want_depth=True) for _ in range(3))
    assert backend._blocks[static] is not None and moving not in backend._blocks
    for drawn in later:
        for a, b in zip(first.rgb + first.depth, drawn.rgb + drawn.depth, strict=True):
            np.testing.assert_array_equal(a, b)
