from __future__ import annotations

import numpy as np
import pytest

from render_factories import make_gaussian, make_random_gaussians
from simengine.errors import AssetError
from simengine.geometry.se3 import make_transform, rotation_from_quaternion, transform_from_pose
from simengine.render import sh
from simengine.render.scene import BACKGROUND, SplatNode, SplatScene, agent_node, compose, compose_posed


def make_scene(*nodes: SplatNode, origin=(0.0, 0.0, 0.0)) -> SplatScene:
    ground = SplatNode(BACKGROUND, make_gaussian((5, 5, 0)), is_static=True)
    return SplatScene({node.name: node for node in (ground, *nodes)}, np.array(origin))


def test_a_quarter_turn_by_hand():
    # A point 2 m ahead and 1 m up in a box at (10, 20) that faces north lies at (10, 22, 1).
    node = SplatNode("agent/a", make_gaussian((2, 0, 1)))
    flat = compose(make_scene(node), {"agent/a": transform_from_pose(np.array([10.0, 20.0, np.pi / 2]))})
    np.testing.assert_allclose(flat.means, [[5, 5, 0], [10, 22, 1]], atol=1e-6)
    half = np.sqrt(0.5)
    np.testing.assert_allclose(flat.quats[1], [half, 0, 0, half], atol=1e-6)


def test_nodes_without_pose_are_not_drawn():
    scene = make_scene(
        SplatNode("agent/a", make_gaussian((0, 0, 0))), SplatNode("agent/b", make_gaussian((0, 0, 0)))
    )
    assert len(compose(scene, {})) == 1
    assert len(compose(scene, {"agent/b": np.eye(4)})) == 2
    assert len(compose_posed(scene, {})) == 0


def test_origin_is_taken_off_before_rounding():
    node = SplatNode("agent/a", make_gaussian((0.25, 0, 0)))
    far = np.array([4_000_000.0, 660_000.0, 0.0])
    flat = compose_posed(
        make_scene(node, origin=far), {"agent/a": make_transform(np.eye(3), far + [1.0, 0, 0])}
    )
    np.testing.assert_array_equal(flat.means, [[1.25, 0, 0]])


def test_posing_many_nodes_equals_posing_each():
    rng = np.random.default_rng(0)
    nodes = [
        SplatNode(agent_node(str(k)), make_random_gaussians(4 + k, degree=k % 3, seed=k)) for k in range(4)
    ]
    scene = make_scene(*nodes)
    poses = {
        node.name: make_transform(rotation_from_quaternion(rng.normal(size=4)), rng.normal(size=3))
        for node in nodes
    }
    together = compose_posed(scene, poses)
    start = 0
    for name, pose in poses.items():
        alone = compose_posed(scene, {name: pose})
        stop = start + len(alone)
        local = scene.nodes[name].gaussians
        np.testing.assert_allclose(
            together.means[start:stop], local.means @ pose[:3, :3].T + pose[:3, 3], atol=1e-5
        )
        turned = pose[:3, :3] @ rotation_from_quaternion(local.quats)
        np.testing.assert_allclose(rotation_from_quaternion(together.quats[start:stop]), turned, atol=1e-5)
        np.testing.assert_allclose(together.sh[start:stop, : alone.sh.shape[1]], alone.sh, atol=1e-5)
        start = stop


def test_highlights_turn_with_the_body():
    local = make_random_gaussians(5, degree=3, seed=2)
    pose = transform_from_pose(np.array([0.0, 0.0, 1.1]))
    flat = compose_posed(make_scene(SplatNode("agent/a", local)), {"agent/a": pose})
    view = np.tile([0.6, 0.0, 0.8], (5, 1))
    np.testing.assert_allclose(
        sh.colors(flat.sh, view @ pose[:3, :3].T), sh.colors(local.sh, view), atol=1e-5
    )


def test_unknown_node_is_named():
    with pytest.raises(AssetError, match="agent/zzz"):
        compose(make_scene(), {"agent/zzz": np.eye(4)})
