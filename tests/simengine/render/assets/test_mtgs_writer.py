from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from render_factories import make_gaussian, make_random_gaussians
from simengine.errors import AssetError
from simengine.render.assets.asset import Asset, AssetNode, FourierColor, LogPoses, NodeKind
from simengine.render.assets.formats import find_asset, read_asset, write_asset
from simengine.render.assets.height_map import HeightMap
from simengine.render.assets.torch_writer import torch_bytes


def full_asset() -> Asset:
    rng = np.random.default_rng(0)
    log = LogPoses(
        np.tile([1.0, 0, 0, 0], (3, 1)), rng.normal(size=(3, 3)).astype(np.float32), np.array([5, 7, 9])
    )
    still = LogPoses(np.array([[0.0, 0, 0, 1]]), np.float32([[1, 2, 3]]))
    series = FourierColor(rng.normal(size=(5, 3, 3)).astype(np.float32), 2.0)
    car = make_random_gaussians(5, 3, seed=1)
    car.sh[:, 0] = series.dc[:, 0]  # what a file holds of a colour that changes
    nodes = (
        AssetNode("background", NodeKind.BACKGROUND, make_random_gaussians(30, 3)),
        AssetNode("skybox", NodeKind.SKY, make_random_gaussians(3, 0)),
        AssetNode("car_a", NodeKind.RIGID, car, log, series),
        AssetNode("half_b", NodeKind.MIRRORED, make_random_gaussians(6, 2), still, turns_colors=True),
    )
    heights = HeightMap(np.float32([[1, np.nan], [2, 3]]), np.eye(2), np.array([3.0, 4.0]), 2.5)
    return Asset(nodes, np.array([664_000.125, 3_998_000.5, 612.25]), heights)


def test_there_and_back(tmp_path):
    before = full_asset()
    write_asset(tmp_path / "place" / "background" / "place.ckpt", before)
    after = read_asset(find_asset(tmp_path, "place"))
    np.testing.assert_array_equal(after.recon2world, before.recon2world)
    np.testing.assert_array_equal(after.height_map.heights, before.height_map.heights)
    assert after.height_map.scale == 2.5
    for a, b in zip(after.nodes, before.nodes, strict=True):
        assert (a.name, a.kind, a.turns_colors) == (b.name, b.kind, b.turns_colors)
        bands = b.gaussians.sh.shape[1]
        np.testing.assert_allclose(a.gaussians.sh[:, :bands], b.gaussians.sh, atol=1e-6)
        assert not a.gaussians.sh[:, bands:].any()
        np.testing.assert_array_equal(a.gaussians.means, b.gaussians.means)
        np.testing.assert_allclose(a.gaussians.scales, b.gaussians.scales, rtol=1e-5)
        np.testing.assert_allclose(a.gaussians.opacities, b.gaussians.opacities, atol=1e-6)
        unit = b.gaussians.quats / np.linalg.norm(b.gaussians.quats, axis=1, keepdims=True)
        np.testing.assert_allclose(a.gaussians.quats, unit, atol=1e-6)
        if b.log is not None:
            np.testing.assert_array_equal(a.log.trans, b.log.trans)
            np.testing.assert_array_equal(a.log.quats, b.log.quats)
            np.testing.assert_array_equal(a.log.timestamps_us, b.log.timestamps_us)
    np.testing.assert_array_equal(after.nodes[2].fourier.dc, before.nodes[2].fourier.dc)
    assert after.nodes[2].fourier.scale == 2.0


def test_torch_reads_it_without_trust(tmp_path):
    torch = pytest.importorskip("torch")
    write_asset(tmp_path / "a" / "background" / "a.ckpt", full_asset())
    content = torch.load(tmp_path / "a" / "background" / "a.ckpt", weights_only=True)
    assert list(content) == ["background", "skybox", "car_a", "half_b"]
    state, config = content["car_a"]["state_dict"], content["car_a"]["config"]
    assert config["type"] == "RigidSubModel" and config["log_timestamps"].dtype == torch.int64
    assert state["gauss_params.features_dc"].shape == (5, 3, 3) and state["instance_trans"].shape == (3, 3)
    np.testing.assert_array_equal(state["gauss_params.means"].numpy(), full_asset().nodes[2].gaussians.means)
    assert content["half_b"]["state_dict"]["instance_quats"].shape == (4,)
    assert content["background"]["config"]["recon2world_translation"].dtype == torch.float64


@pytest.mark.parametrize("value", [{"x": object()}, {"x": np.zeros(2, np.complex64)}, [{1, 2}]])
def test_only_plain_values_are_written(value):
    with pytest.raises(AssetError, match=r"no place in a \.ckpt"):
        torch_bytes(value)


def test_what_the_layout_cannot_hold_is_one_sentence(tmp_path):
    node = AssetNode("car_a", NodeKind.RIGID, make_gaussian((0, 0, 0)))
    with pytest.raises(AssetError, match="has 0 backgrounds"):
        write_asset(tmp_path / "a.ckpt", Asset((node,)))
    series = FourierColor(np.zeros((1, 3, 3), np.float32), is_logit=True)
    ground = replace(node, name="background", kind=NodeKind.BACKGROUND)
    with pytest.raises(AssetError, match="series of logits"):
        write_asset(tmp_path / "a.ckpt", Asset((ground, replace(node, fourier=series))))
    assert not (tmp_path / "a.ckpt").exists()
