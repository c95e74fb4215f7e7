from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from render_factories import make_random_gaussians, make_street
from simengine.datatypes.camera import CameraCalibration
from simengine.errors import AssetError
from simengine.files.arrays import read_arrays, write_arrays
from simengine.geometry.se3 import rotation_from_quaternion, transform_from_pose
from simengine.render.assets.asset import Asset, AssetNode, FourierColor, LogPoses, NodeKind
from simengine.render.assets.compact import FORMAT, VERSION, read_compact, write_compact
from simengine.render.assets.height_map import HeightMap
from simengine.render.assets.ply import write_ply
from simengine.render.assets.quantize import BLOCK, GRID, block_order, morton_order, quantized, restored
from simengine.render.cpu_backend import CpuBackend
from simengine.render.gaussians import FlatGaussians
from simengine.render.lift import lift
from simengine.render.rig import nuplan_rig

PHOTO_PSNR = 30.0
"""How well a good reconstruction matches the photos it was made from; what is lost is measured against those."""


def psnr(left: np.ndarray, right: np.ndarray) -> float:
    error = np.mean((left.astype(np.float64) - right) ** 2)
    return float(10.0 * np.log10(255.0**2 / max(error, 1e-6)))


def ground(gaussians: FlatGaussians) -> Asset:
    return Asset((AssetNode("background", NodeKind.BACKGROUND, gaussians),))


def lifted_street() -> tuple[Asset, np.ndarray]:
    """Return a lifted scene as an asset, and the pose of an ego in it."""
    scenario = make_street()
    scene = lift(scenario)
    kinds = {"background": NodeKind.BACKGROUND, "sky": NodeKind.SKY}
    nodes = [AssetNode(n.name, kinds[n.name], n.gaussians) for n in scene.nodes.values() if n.is_static]
    pose = transform_from_pose(scenario.ego.pose[15])
    pose[:3, 3] -= scene.origin
    return Asset(tuple(nodes)), pose


def shiny_cloud() -> tuple[Asset, np.ndarray]:
    """Return Gaussians of degree 3 all around an ego at the origin."""
    flat = make_random_gaussians(40_000, degree=3, seed=1, depth=30.0)
    rng = np.random.default_rng(2)
    return ground(replace(flat, scales=np.exp(rng.uniform(np.log(0.02), np.log(0.4), (40_000, 3))))), np.eye(
        4
    )


@pytest.mark.parametrize("make", [lifted_street, shiny_cloud])
def test_a_fifth_of_the_size_costs_half_a_decibel_at_most(tmp_path, make):
    asset, world_from_ego = make()
    write_compact(tmp_path / "a.npz", asset)
    write_ply(tmp_path / "a.ply", asset)
    size = (tmp_path / "a.npz").stat().st_size
    numbers = sum(len(n.gaussians) * (11 + n.gaussians.sh[0].size) for n in asset.nodes)
    assert 5 * size <= min((tmp_path / "a.ply").stat().st_size, 4 * numbers)

    def images(of: Asset) -> tuple[np.ndarray, ...]:
        rig: tuple[CameraCalibration, ...] = nuplan_rig(160, 90)
        poses = np.array([world_from_ego @ camera.ego_from_cam for camera in rig])
        return CpuBackend(1).render([node.gaussians for node in of.nodes], rig, poses).rgb

    noise = np.random.default_rng(0).normal(0.0, 255.0 * 10 ** (-PHOTO_PSNR / 20.0), (90, 160, 3))
    for before, after in zip(images(asset), images(read_compact(tmp_path / "a.npz")), strict=True):
        photo = before + noise
        assert psnr(photo, before) - psnr(photo, after) <= 0.5
        assert psnr(before, after) >= 41.0


def test_errors_are_what_the_table_says():
    before = make_random_gaussians(3 * BLOCK + 7, degree=3, seed=3)
    arrays, order = quantized(before)
    after = restored(arrays)
    before = FlatGaussians(
        **{k: getattr(before, k)[order] for k in ("means", "quats", "scales", "opacities", "sh")}
    )
    assert np.abs(after.means - before.means).max() <= 0.5 * GRID + 1e-6
    assert np.abs(np.log(after.scales / before.scales)).max() <= 1 / 64 + 1e-5
    assert np.abs(after.opacities - before.opacities).max() <= 0.5 / 255 + 1e-6
    turned = rotation_from_quaternion(before.quats).swapaxes(1, 2) @ rotation_from_quaternion(after.quats)
    angle = np.degrees(np.arccos(np.clip((np.trace(turned, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    assert angle.max() <= 0.2
    off = np.abs(after.sh - before.sh).max(axis=(0, 2))
    for degree, step in enumerate((1 / 64, 0.02, 0.025, 0.03)):
        assert off[degree**2 : (degree + 1) ** 2].max() <= 0.5 * step + 1e-6


def test_extreme_numbers_survive():
    flat = FlatGaussians(
        np.array([[-9000.0, 0, 0], [9000.0, 1e5, -3.0], [0, 0, 0]]),
        np.array([[0, 0, 0, 0], [-1.0, 0, 0, 0], [0.5, 0.5, 0.5, 0.5]]),
        np.array([[1e-9, 1.0, 1e4], [0, 1, 1], [1, 1, 1]]),
        np.array([0.0, 1.0, 0.5]),
        np.array([[[30.0, -30.0, 0.0]]] * 3),
    )
    arrays, order = quantized(flat)
    after = restored(arrays)
    # One block is 100 km wide: a step is 1.5 m there.
    assert np.abs(after.means - flat.means[order]).max() < 0.8
    np.testing.assert_allclose(
        np.abs(after.quats[np.argsort(order)]), [[1, 0, 0, 0], [1, 0, 0, 0], [0.5] * 4], atol=2e-3
    )
    np.testing.assert_allclose(after.sh, flat.sh, atol=0.01)


def test_order_keeps_neighbours_together_and_is_a_permutation():
    points = np.random.default_rng(0).uniform(-50, 50, (5000, 3)).astype(np.float32)
    for order in (morton_order(points), block_order(points)):
        assert sorted(order) == list(range(5000))
        blocks = points[order][: 19 * BLOCK].reshape(19, BLOCK, 3)
        assert np.ptp(blocks, axis=1).mean() < 60.0 < np.ptp(points, axis=0).min()
    assert len(block_order(np.zeros((0, 3)))) == 0


def full_asset() -> Asset:
    rng = np.random.default_rng(4)
    log = LogPoses(rng.normal(size=(4, 4)), rng.normal(size=(4, 3)) + [0, 0, 1e5], np.array([5, 7, 8, 2**62]))
    still = LogPoses(rng.normal(size=(1, 4)), rng.normal(size=(1, 3)))
    series = FourierColor(rng.normal(size=(5, 3, 3)).astype(np.float32), 1.5, is_logit=True)
    nodes = (
        AssetNode("background", NodeKind.BACKGROUND, make_random_gaussians(300, 3)),
        AssetNode("skybox", NodeKind.SKY, make_random_gaussians(4, 1)),
        AssetNode("car_a", NodeKind.RIGID, make_random_gaussians(5, 0), log, series),
        AssetNode("half_b", NodeKind.MIRRORED, make_random_gaussians(6, 2), still, turns_colors=True),
        AssetNode("none_c", NodeKind.RIGID, FlatGaussians.empty()),
    )
    heights = HeightMap(np.float32([[1, np.nan, 3.25]]), np.eye(2)[::-1], np.array([3.0, 4.0]), 2.5)
    return Asset(nodes, np.array([664_000.123456789, 3_998_000.5, 612.25]), heights)


def test_nodes_poses_origin_and_heights_come_back_exactly(tmp_path):
    before = full_asset()
    write_compact(tmp_path / "a.npz", before)
    after = read_compact(tmp_path / "a.npz")
    np.testing.assert_array_equal(after.recon2world, before.recon2world)
    for name in ("heights", "rotation", "translation", "scale"):
        np.testing.assert_array_equal(getattr(after.height_map, name), getattr(before.height_map, name))
    for a, b in zip(after.nodes, before.nodes, strict=True):
        assert (a.name, a.kind, a.turns_colors, len(a.gaussians)) == (
            b.name,
            b.kind,
            b.turns_colors,
            len(b.gaussians),
        )
        assert (a.log is None, a.fourier is None) == (b.log is None, b.fourier is None)
        if b.log is not None:
            np.testing.assert_array_equal(a.log.quats, b.log.quats)
            np.testing.assert_array_equal(a.log.trans, b.log.trans)
            np.testing.assert_array_equal(a.log.timestamps_us, b.log.timestamps_us)
    series, stored = before.nodes[2].fourier, after.nodes[2].fourier
    assert (stored.scale, stored.in_space, stored.is_logit) == (1.5, False, True)
    # Rows are in the order of the stored Gaussians.
    order = block_order(before.nodes[2].gaussians.means)
    np.testing.assert_allclose(stored.dc, series.dc[order], atol=1 / 128 + 1e-6)


def test_writing_what_was_read_changes_nothing_more(tmp_path):
    write_compact(tmp_path / "a.npz", full_asset())
    once = read_compact(tmp_path / "a.npz")
    write_compact(tmp_path / "b.npz", once)
    twice = read_compact(tmp_path / "b.npz")
    for a, b in zip(once.nodes, twice.nodes, strict=True):
        np.testing.assert_allclose(
            np.sort(a.gaussians.means, axis=0), np.sort(b.gaussians.means, axis=0), atol=1e-6
        )
        np.testing.assert_array_equal(np.sort(a.gaussians.sh, axis=0), np.sort(b.gaussians.sh, axis=0))


def test_damaged_files_are_one_sentence(tmp_path):
    path = tmp_path / "a.npz"
    write_compact(path, full_asset())
    content = path.read_bytes()
    for size in range(0, len(content) - 1, 613):
        path.write_bytes(content[:size])
        with pytest.raises(AssetError) as caught:
            read_compact(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(AssetError, match="check the path"):
        read_compact(tmp_path / "missing.npz")
    write_arrays(path, {"format": "else", "version": 1}, {})
    with pytest.raises(AssetError, match="format 'else'"):
        read_compact(path)


def spoiled_arrays() -> dict[str, np.ndarray | None]:
    return {
        "0/opacities": np.zeros(7, np.uint8),
        "0/means": np.zeros((2, 300, 2), np.uint8),
        "0/block_low": np.full((2, 3), np.nan),
        "0/quats": np.zeros(300, np.float32),
        "0/band_1": None,
        "0/band_0": np.zeros((4, 300), np.int8),
        "0/scales": np.full((2, 3, 300), 127, np.uint8),
        "2/log_quats": np.zeros((3, 4)),
        "2/log_trans": np.full((4, 3), np.nan),
        "2/log_timestamps_us": np.array([4, 3, 2, 1]),
        "2/fourier": np.zeros((4, 3, 3), np.int8),
        "recon2world": np.zeros(2),
        "heights": np.zeros(3, np.float32),
    }


@pytest.mark.parametrize("name", spoiled_arrays())
def test_inconsistent_arrays_are_one_sentence(tmp_path, name):
    path = tmp_path / "a.npz"
    write_compact(path, full_asset())
    header, arrays = read_arrays(path, FORMAT, VERSION)
    arrays[name] = spoiled_arrays()[name]
    write_arrays(path, header, {key: value for key, value in arrays.items() if value is not None})
    with pytest.raises(AssetError, match="is not consistent") as caught:
        read_compact(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "nodes", [None, 3, [3], [{}], [{"name": "a", "kind": "cloud", "turns_colors": False}]]
)
def test_inconsistent_headers_are_one_sentence(tmp_path, nodes):
    path = tmp_path / "a.npz"
    write_compact(path, full_asset())
    header, arrays = read_arrays(path, FORMAT, VERSION)
    write_arrays(path, json.loads(json.dumps({**header, "nodes": nodes})), arrays)
    with pytest.raises(AssetError, match="is not consistent"):
        read_compact(path)


def test_nodes_have_different_names():
    node = AssetNode("a", NodeKind.BACKGROUND, FlatGaussians.empty())
    with pytest.raises(AssetError, match="two nodes 'a'"):
        Asset((node, node))


def test_a_claim_of_more_than_there_is_memory_is_one_sentence(tmp_path):
    path = tmp_path / "a.npz"
    write_compact(path, full_asset())
    huge = b"{'descr': '|u1', 'fortran_order': False, 'shape': (400000000000000,), }"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(
            "bomb.npy", b"\x93NUMPY\x01\x00" + (len(huge) + 1).to_bytes(2, "little") + huge + b"\n"
        )
    with pytest.raises(AssetError) as caught:
        read_compact(path)
    assert "\n" not in str(caught.value)
