from __future__ import annotations

import json
import logging

import numpy as np
import pytest

from asset_factories import (
    BACKGROUND,
    MIRRORED,
    RIGID,
    SKY,
    T0,
    moving_dict,
    node_dict,
    write_checkpoint,
    write_height_map,
)
from simengine.errors import AssetError
from simengine.render import sh
from simengine.render.assets.asset import NodeKind
from simengine.render.assets.mtgs import read_checkpoint

LEVEL = [[1.0, 0.0, 0.0, 0.0]]


def tensors_of(node: dict) -> dict:
    state = node["state_dict"]
    flat = {
        name.removeprefix("gauss_params."): value for name, value in state.items() if name != "gauss_params"
    }
    return {name: value.numpy() for name, value in (flat | state.get("gauss_params", {})).items()}


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_activations_of_the_layout(tmp_path, nested, degree):
    node = node_dict(degree=degree, nested=nested, recon2world_translation=[664_000.0, 3_998_000.0, 600.0])
    asset = read_checkpoint(write_checkpoint(tmp_path, "a", {"background": node}))
    raw, (ground,) = tensors_of(node), asset.nodes
    flat = ground.gaussians
    assert (ground.kind, asset.num_gaussians, flat.sh_degree) == (NodeKind.BACKGROUND, 2, degree)
    np.testing.assert_array_equal(asset.recon2world, [664_000.0, 3_998_000.0, 600.0])
    np.testing.assert_array_equal(flat.means, raw["means"])
    np.testing.assert_allclose(flat.scales, np.exp(raw["scales"]), rtol=1e-6)
    np.testing.assert_allclose(flat.opacities, 1 / (1 + np.exp(-raw["opacities"][:, 0])), rtol=1e-6)
    np.testing.assert_allclose(
        flat.quats, raw["quats"] / np.linalg.norm(raw["quats"], axis=1, keepdims=True), atol=1e-6
    )
    np.testing.assert_array_equal(flat.sh[:, 0], raw["features_dc"])
    np.testing.assert_array_equal(flat.sh[:, 1:], raw["features_rest"])


def test_degree_zero_is_a_sigmoid_seen_from_everywhere(tmp_path):
    node = node_dict(degree=0, tensors={"features_dc": [[0.0, 1.0, -1.0], [3.0, -3.0, 0.5]]})
    flat = read_checkpoint(write_checkpoint(tmp_path, "a", {"background": node})).nodes[0].gaussians
    expected = 1 / (1 + np.exp(-np.array([[0.0, 1.0, -1.0], [3.0, -3.0, 0.5]])))
    np.testing.assert_allclose(sh.colors(flat.sh, np.tile([0.0, 0.6, 0.8], (2, 1))), expected, atol=1e-6)


def test_one_scale_is_round_and_ignores_quaternions(tmp_path):
    node = node_dict(tensors={"scales": [[-1.0], [0.5]]}, scale_dim=1)
    flat = read_checkpoint(write_checkpoint(tmp_path, "a", {"background": node})).nodes[0].gaussians
    np.testing.assert_allclose(flat.scales, np.exp([[-1.0] * 3, [0.5] * 3]), rtol=1e-6)
    np.testing.assert_array_equal(flat.quats, [[1, 0, 0, 0]] * 2)


def test_every_kind_of_node(tmp_path):
    trans = np.array([[1.0, 2.0, 3.0], [2.0, 2.0, 3.0], [0.0, 0.0, 1e5]])
    nodes = {
        "background": node_dict(),
        "skybox": node_dict(SKY, seed=1, skybox_radius=1000.0, skybox_type="sphere"),
        "object_1_abc": moving_dict(trans, LEVEL * 3),
        "car_def": node_dict(RIGID, tensors={"instance_trans": trans[:1], "instance_quats": LEVEL}),
        "half_ghi": moving_dict(trans, LEVEL * 3, MIRRORED),
        "loose_jkl": node_dict(RIGID, tensors={"features_adapters": np.zeros((2, 4, 3))}),
    }
    asset = read_checkpoint(write_checkpoint(tmp_path, "a", nodes))
    by_name = {node.name: node for node in asset.nodes}
    assert list(by_name) == list(nodes)
    assert [node.token for node in asset.objects] == ["abc", "def", "ghi", "jkl"]
    assert by_name["skybox"].kind is NodeKind.SKY and by_name["half_ghi"].kind is NodeKind.MIRRORED
    moving, static = by_name["object_1_abc"].log, by_name["car_def"].log
    np.testing.assert_array_equal(moving.present, [0, 1])
    np.testing.assert_array_equal(moving.timestamps_us, T0 + np.array([0, 100_000, 200_000]))
    assert static.is_static and static.trans.shape == (1, 3)
    assert by_name["loose_jkl"].log is None


def test_fourier_colours_in_time_by_hand(tmp_path):
    # Three terms 1, sin(2 pi 2 x / 3), cos(2 pi 2 x / 3) with coefficients a, b, c.
    dc = np.array([[[0.5] * 3, [0.25] * 3, [-0.125] * 3]] * 2)
    trans = np.zeros((2, 3))
    node = moving_dict(trans, LEVEL * 2, tensors={"features_dc": dc}, fourier_features_dim=3)
    asset = read_checkpoint(write_checkpoint(tmp_path, "a", {"background": node_dict(), "c_t": node}))
    series = asset.objects[0].fourier
    for x in (0.0, 0.3, 1.0):
        angle = 2 * np.pi * 2 * x / 3
        expected = 0.5 + 0.25 * np.sin(angle) - 0.125 * np.cos(angle)
        np.testing.assert_allclose(series.at(x), np.full((2, 3), expected), atol=1e-6)


def test_unknown_nodes_are_left_out_with_a_warning(tmp_path, caplog):
    nodes = {"background": node_dict(), "walker_x": node_dict("DeformableSubModel"), "y": node_dict("Novel")}
    with caplog.at_level(logging.WARNING):
        asset = read_checkpoint(write_checkpoint(tmp_path, "a", nodes))
    assert [node.name for node in asset.nodes] == ["background"]
    assert "DeformableSubModel" in caplog.text and "Novel" in caplog.text


def test_height_map_lies_beside(tmp_path):
    path = write_checkpoint(tmp_path, "a", {"background": node_dict()})
    assert read_checkpoint(path).height_map is None
    heights = np.array([[1.0, 2.0], [3.0, np.nan]])
    write_height_map(tmp_path / "a" / "road_height_map", heights, (10.0, 20.0), 0.5)
    ground = read_checkpoint(path).height_map
    # Cell centres, the middle between two, next to an unknown cell, and off the map.
    places = np.array([[10.25, 20.25], [10.75, 20.25], [10.5, 20.25], [10.6, 20.75], [30.0, 20.25]])
    np.testing.assert_allclose(ground.at(places), [1.0, 2.0, 1.5, 3.0, np.nan], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"tensors": {"means": np.zeros((2, 2))}}, r"means is float32 of shape \(2, 2\), expected"),
        ({"tensors": {"scales": np.zeros((3, 3))}}, "scales"),
        ({"tensors": {"quats": np.zeros((2, 3))}}, "quats"),
        ({"tensors": {"opacities": np.zeros(2)}}, "opacities"),
        ({"tensors": {"features_dc": np.zeros((2, 4, 3))}}, "features_dc"),
        ({"tensors": {"features_rest": np.zeros((2, 8, 3))}}, "features_rest has 8 bands, expected at least 15"),
        ({"tensors": {"means": np.full((2, 3), np.nan)}}, "means holds NaN"),
        ({"tensors": {"opacities": np.full((2, 1), np.inf)}}, "opacities holds NaN or infinity"),
        ({"sh_degree": 7}, "sh_degree is 7"),
        ({"sh_degree": "three"}, "node 'background': is malformed"),
        ({"scale_dim": [1, 2]}, "is malformed"),
        ({"recon2world_translation": [1.0, 2.0]}, "recon2world_translation"),
        ({"recon2world_translation": [1.0, "x", [2]]}, "is malformed|recon2world_translation"),
        ({"recon2world_translation": [1.0, 2.0, float("nan")]}, "recon2world_translation"),
    ],
)  # fmt: skip
def test_deformed_nodes_are_one_sentence(tmp_path, change, sentence):
    config = {key: value for key, value in change.items() if key != "tensors"}
    node = node_dict(tensors=change.get("tensors"))
    node["config"] |= config
    with pytest.raises(AssetError, match=sentence) as caught:
        read_checkpoint(write_checkpoint(tmp_path, "a", {"background": node}))
    assert "\n" not in str(caught.value)


def test_deformed_files_are_one_sentence(tmp_path):
    def read(nodes):
        return read_checkpoint(write_checkpoint(tmp_path, "a", nodes))

    moving = moving_dict(np.zeros((2, 3)), LEVEL * 2)
    late = {**moving, "config": {**moving["config"], "log_timestamps": np.array([5, 5])}}
    timeless = {**moving, "config": {**moving["config"], "log_timestamps": None}}
    del (bare := node_dict())["state_dict"]["gauss_params.means"]
    for nodes, sentence in (
        ([1, 2], "expected a dict of nodes"),
        ({}, "expected a dict of nodes"),
        ({"background": 3}, "has no config"),
        ({"background": bare}, "no tensor means"),
        ({"background": {"config": {"type": BACKGROUND}}}, "no tensor means"),
        ({"car_a": moving}, "has no background"),
        ({"background": node_dict(), "car_a": late}, "rising time"),
        ({"background": node_dict(), "car_a": timeless}, "no log_timestamps"),
        ({"background": node_dict(), 1: node_dict(SKY), "1": node_dict(SKY)}, "two nodes '1'"),
    ):
        with pytest.raises(AssetError, match=sentence):
            read(nodes)


@pytest.mark.parametrize(
    ("heights", "sim2"),
    [
        (np.zeros(3), {"R": [1, 0, 0, 1], "t": [0, 0], "s": 1}),
        (np.zeros((2, 2)), {"R": [1, 0, 0], "t": [0, 0], "s": 1}),
        (np.zeros((2, 2)), {"R": [1, 0, 0, 1], "t": [0, 0], "s": 0}),
        (np.zeros((2, 2)), {"R": [1, 0, 0, 1], "t": [0, float("nan")], "s": 1}),
        (np.zeros((2, 2)), [1]),
        (np.array([[None]]), {"R": [1, 0, 0, 1], "t": [0, 0], "s": 1}),
    ],
)
def test_deformed_height_maps_are_one_sentence(tmp_path, heights, sim2):
    path = write_checkpoint(tmp_path, "a", {"background": node_dict()})
    folder = tmp_path / "a" / "road_height_map"
    folder.mkdir()
    np.save(folder / "road_height_map.npy", heights)
    (folder / "sim2.json").write_text(json.dumps(sim2))
    with pytest.raises(AssetError, match=r"road_height_map: cannot be read .* or leave it out") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)
