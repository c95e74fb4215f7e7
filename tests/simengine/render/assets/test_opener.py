from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asset_factories import moving_dict, node_dict, write_checkpoint
from render_factories import make_street, states_at
from scenario_factories import make_legacy
from simengine.datatypes.vehicle import AXLE_HEIGHT
from simengine.errors import AssetError
from simengine.geometry.se3 import transform_from_pose
from simengine.render.assets.corrected import CorrectedStage
from simengine.render.assets.formats import write_asset
from simengine.render.assets.opener import SceneOpener
from simengine.render.assets.published import PublishedStage
from simengine.render.cpu_backend import CpuBackend
from simengine.render.renderer import SceneRenderer
from simengine.render.rig import nuplan_rig
from simengine.render.stage import FlatStage
from simengine.scenario.legacy import scenario_from_legacy
from stage_factories import ROAD_HEIGHT, as_asset

RIG = nuplan_rig(160, 90)


def test_without_a_folder_or_an_asset_scenes_are_lifted(tmp_path):
    scenario = make_street()
    assert isinstance(SceneOpener()(replace(scenario, asset_id="somewhere")), FlatStage)
    assert isinstance(SceneOpener(tmp_path)(scenario), FlatStage)


def test_an_asset_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(AssetError, match=r"its asset place is not below .*leave out render.asset_root"):
        SceneOpener(tmp_path)(replace(make_street(), asset_id="place"))


@pytest.mark.parametrize(
    ("composition", "kind"), [("corrected", CorrectedStage), ("worldengine_v1", PublishedStage)]
)
@pytest.mark.parametrize("named", [True, False])
def test_an_asset_is_found_by_id_or_by_token(tmp_path, composition, kind, named):
    scenario = make_street(token="place")
    write_asset(tmp_path / "place.npz", as_asset(scenario))
    if named:
        scenario = replace(scenario, token="other", asset_id="place-003")
    assert isinstance(SceneOpener(tmp_path, composition)(scenario), kind)


def test_an_asset_looks_like_the_scene_it_was_made_of(tmp_path):
    """Lifted, written as an asset on a road 3 m up, found by the renderer: the same pictures, agents in place."""
    scenario = make_street(token="place")
    write_asset(Path(tmp_path) / "place.npz", as_asset(scenario))
    images, heights = [], []
    for opener in (SceneOpener(tmp_path), SceneOpener()):
        renderer = SceneRenderer(CpuBackend(1), open_scene=opener)
        heights.append(renderer.load(scenario).origin[2])
        images.append(renderer.render(scenario.ego.pose[15], states_at(scenario, 15), RIG, 15))
    assert heights == pytest.approx([-ROAD_HEIGHT, 0.0])
    for name, image in images[0].items():
        error = np.mean((image.astype(float) - images[1][name]) ** 2)
        # Lamps are missing in the asset; everything else is but quantised.
        assert 10 * np.log10(255**2 / error) > 35.0, name


def test_an_original_scenario_stands_where_its_asset_was_driven(tmp_path):
    """Ids, origins and ego poses of `all_scenarios.pkl`: world, map and asset must meet at the logged poses."""
    origin, to_asset = np.array([664_432.0, 3_997_660.0]), np.array([5.0, -7.0, 600.0])
    record = make_legacy(centred=True)
    metadata = record.setdefault("metadata", {})
    metadata["old_origin_in_current_coordinate"] = -origin
    metadata["digitaltwin_asset_id"] = "place-002"
    bare = scenario_from_legacy("log-abc", record)
    rows = []
    for x, y, yaw in bare.ego.pose:
        pose = transform_from_pose(np.array([x, y, yaw]), z=30.0 + 0.01 * y + AXLE_HEIGHT)
        pose[:2, 3] += bare.global_from_world - origin - to_asset[:2]
        rows.append(pose)
    metadata["digitaltwin_ego2globals"] = rows
    scenario = scenario_from_legacy("log-abc", record)
    place = np.append(origin, 0.0) + to_asset
    token = "aaaaaaaaaaaaaaaa"
    nodes = {
        "background": node_dict(recon2world_translation=place),
        f"object_{token}": moving_dict(np.array([[1.0, 2.0, 31.0]] * 2), [[1, 0, 0, 0]] * 2),
    }
    write_checkpoint(tmp_path, "place", nodes)
    for composition in ("corrected", "worldengine_v1"):
        stage = SceneOpener(tmp_path, composition)(scenario)
        for pose, row in zip(scenario.ego.pose, rows, strict=True):
            there = stage.world_from_ego(pose)
            there[:3, 3] -= stage.scene.origin
            np.testing.assert_allclose(there[:3, 3], row[:3, 3] - [0, 0, AXLE_HEIGHT], atol=1e-6)
        first = stage.world_from_ego(scenario.ego.pose[scenario.initial_frame])
        assert first[2, 3] == pytest.approx(0.0)
        assert len(stage.moving(scenario.ego.pose[0], states_at(scenario, 0), 0)) >= 2


def test_variants_of_one_asset_share_what_stands(tmp_path):
    first, second = (make_street(token=f"place-00{k}") for k in (1, 2))
    write_asset(tmp_path / "place.npz", as_asset(first))
    opener = SceneOpener(tmp_path)
    assert opener == SceneOpener(tmp_path) != SceneOpener(tmp_path, "worldengine_v1")
    stages = [opener(first), opener(second)]
    assert stages[0].static is stages[1].static
    write_asset(tmp_path / "place.npz", as_asset(second))
    assert opener(first).static is not stages[0].static
