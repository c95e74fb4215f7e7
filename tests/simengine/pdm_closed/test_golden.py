"""PDM-Closed against what the public NAVSIM v1.1 code gave, intermediate values included."""

import numpy as np
import pytest

from factories import shared_data
from pdm_closed_golden import golden_input, read_golden
from pdm_golden import FOLDER
from simengine.geometry.angles import wrap
from simengine.pdm_closed.planner import plan_pdm_closed
from simengine.pdm_closed.reference import tracked_states

COLUMNS = [0, 1, 2, 3, 5, 7]


def check(path):
    data = read_golden(path)
    given = golden_input(data)
    result = plan_pdm_closed(given)
    batch, guidance = result.batch, result.guidance
    assert list(guidance.route_lanes) == data["out_route_lane_token"].tolist()
    np.testing.assert_array_equal(guidance.centerline, data["out_centerline"])
    np.testing.assert_allclose(result.idm, data["out_pdm_idm"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(result.lead, data["out_pdm_lead"], rtol=0, atol=1e-6)
    multi = np.stack([batch.no_at_fault_collisions, batch.drivable_area_compliance])
    np.testing.assert_array_equal(multi, data["out_pdm_multi"])
    weighted = np.stack(
        [
            batch.ego_progress,
            batch.time_to_collision_within_bound,
            batch.comfort,
            batch.driving_direction_compliance,
        ]
    )
    np.testing.assert_allclose(weighted, data["out_pdm_weighted"], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(weighted[1:], data["out_pdm_weighted"][1:])
    np.testing.assert_allclose(batch.score, data["out_pdm_scores"], rtol=0, atol=1e-6)
    assert result.best == data["out_pdm_best"]
    np.testing.assert_allclose(result.poses, data["out_pdm_trajectory"], rtol=0, atol=1e-6)
    states = tracked_states(result, given, int(data["ego_time_us"]))
    tolerance = max(1e-6, 10 * float(data["sim_sensitivity"][0]))
    np.testing.assert_allclose(states[:, COLUMNS], data["sim_states"][0], rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", ["scene_009", "scene_012", "scene_018"])
def test_golden_scene(name):
    check(FOLDER / f"{name}.npz")


@pytest.mark.parametrize("number", range(20))
def test_every_golden_scene(number):
    check(shared_data("golden", "pdm", f"scene_{number:03d}.npz"))


def test_stored_headings_differ_from_the_geometry():
    """Why a third column of centre lines is kept: in curves the stored headings are those of a finer line."""
    data = read_golden(FOLDER / "scene_009.npz")
    stored = golden_input(data).roads.lanes
    turned = [
        np.abs(wrap(lane.line[:-1, 2] - np.arctan2(*np.diff(lane.line[:, :2], axis=0).T[::-1]))).max()
        for lane in stored.values()
    ]
    assert max(turned) > 0.01
