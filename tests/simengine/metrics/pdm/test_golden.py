"""The scorer against golden numbers of NAVSIM v1.1: everything discrete is equal, the rest within 1e-6."""

from pathlib import Path

import numpy as np
import pytest

from factories import shared_data
from pdm_golden import FOLDER, GoldenScene, load_golden
from simengine.datatypes.ego import STATE_SIZE, StateIndex
from simengine.metrics.pdm.comfort import comfort
from simengine.metrics.pdm.scorer import score_batch

SERIES = ("lon_accel", "lat_accel", "jerk", "lon_jerk", "yaw_accel", "yaw_rate")


def assert_scene_reproduced(golden: GoldenScene) -> None:
    data, result = golden.data, score_batch(golden.states, golden.scene)
    flags = np.unpackbits(data["out_ego_area_bits"])[: 65 * 41 * 3].reshape(65, 41, 3).astype(bool)
    areas = [result.areas.multiple_lanes, result.areas.non_drivable, result.areas.oncoming]
    np.testing.assert_array_equal(np.stack(areas, axis=-1), flags)
    np.testing.assert_array_equal(result.no_at_fault_collisions, data["out_multi"][0])
    np.testing.assert_array_equal(result.drivable_area_compliance, data["out_multi"][1])
    np.testing.assert_array_equal(result.time_to_collision_within_bound, data["out_weighted"][1])
    np.testing.assert_array_equal(result.comfort, data["out_weighted"][2])
    np.testing.assert_array_equal(result.driving_direction_compliance, data["out_weighted"][3])
    np.testing.assert_array_equal(result.collisions.first_frame, data["out_collision_idx"])
    np.testing.assert_array_equal(result.ttc_violations.first_frame, data["out_ttc_idx"])
    np.testing.assert_array_equal(result.comfort_detail.within, data["out_comfort"])
    np.testing.assert_allclose(result.raw_progress, data["out_progress_raw"], atol=1e-6)
    np.testing.assert_allclose(result.ego_progress, data["out_weighted"][0], atol=1e-6)
    np.testing.assert_allclose(result.score, data["out_score_batch"], atol=1e-6)


def assert_pairs_reproduced(golden: GoldenScene) -> None:
    for row in range(64):
        pair = score_batch(golden.states[[0, row + 1]], golden.scene)
        ours = [
            pair.no_at_fault_collisions,
            pair.drivable_area_compliance,
            pair.ego_progress,
            pair.time_to_collision_within_bound,
            pair.comfort,
            pair.driving_direction_compliance,
            pair.score,
        ]
        np.testing.assert_allclose([x[1] for x in ours], golden.data["out_pair"][row], atol=1e-6)


@pytest.mark.parametrize("name", ["scene_009", "scene_012", "scene_018"])
def test_batches_of_65(name: str) -> None:
    assert_scene_reproduced(load_golden(FOLDER / f"{name}.npz"))


def test_official_pairs() -> None:
    assert_pairs_reproduced(load_golden(FOLDER / "scene_009.npz"))


@pytest.mark.parametrize("name", ["scene_009", "scene_012", "scene_018"])
def test_interpolated_tracks(name: str) -> None:
    golden = load_golden(FOLDER / f"{name}.npz")
    data, seen = golden.data, golden.scene.observation
    np.testing.assert_array_equal(golden.tracks.valid, data["out_track_mask"])
    valid = golden.tracks.valid
    np.testing.assert_allclose(golden.tracks.pose[valid][:, :2], data["out_track_centroid"][valid], atol=1e-6)
    moving = ~seen.is_static
    expected = data["out_track_first_heading_velocity"][:, 1:]
    np.testing.assert_allclose(seen.first_velocity[moving], expected[moving], atol=1e-9)


def test_all_shared_scenes() -> None:
    paths = sorted(shared_data("golden", "pdm").glob("scene_[0-9][0-9][0-9].npz"))
    assert len(paths) == 20
    for path in paths:
        assert_scene_reproduced(load_golden(path))


@pytest.mark.parametrize(("prefix", "dt"), [("dt01", 0.1), ("dt05", 0.5)])
def test_comfort_filters(prefix: str, dt: float) -> None:
    with np.load(Path(FOLDER) / "comfort.npz", allow_pickle=False) as data:
        states = np.zeros((*data[f"{prefix}_heading"].shape, STATE_SIZE))
        states[..., StateIndex.HEADING] = data[f"{prefix}_heading"]
        states[..., StateIndex.ACCELERATION_X] = data[f"{prefix}_ax"]
        states[..., StateIndex.ACCELERATION_Y] = data[f"{prefix}_ay"]
        result = comfort(states, dt)
        for row, name in enumerate(SERIES):
            np.testing.assert_allclose(result.series[:, row], data[f"{prefix}_{name}"], atol=2e-8)
        np.testing.assert_array_equal(result.within, data[f"{prefix}_within"])
