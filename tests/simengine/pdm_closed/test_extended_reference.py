"""The progress reference of the extended score against that of NAVSIM v2."""

from pathlib import Path

import numpy as np
import pytest

from epdms_golden import load_extended_golden
from factories import make_scenario, shared_data
from open_loop_factories import GOLDEN, golden_plan, golden_scenario
from simengine.errors import MapQueryError
from simengine.metrics.epdms.parameters import EPDMS, EPDMS_CORRECTED
from simengine.metrics.open_loop.extended import score_plan_extended
from simengine.pdm_closed.extended_reference import extended_reference


def assert_same_reference(path: Path) -> None:
    golden = load_extended_golden(path)
    scenario = golden_scenario(path)
    found = extended_reference(scenario, scenario.initial_frame, EPDMS.pdm)
    np.testing.assert_allclose(found.states[:, :4], golden.states[0, :, :4], atol=1e-6, err_msg=path.stem)


@pytest.mark.parametrize("name", ["scene_009", "scene_012", "scene_018"])
def test_published_choice(name: str) -> None:
    assert_same_reference(GOLDEN / f"{name}.npz")


def test_published_choice_in_all_shared_scenes() -> None:
    # In five of them the extended score chooses another proposal than the PDM score.
    for path in sorted(shared_data("golden", "pdm").glob("scene_[0-9][0-9][0-9].npz")):
        assert_same_reference(path)


def test_official_score_from_inputs_to_result() -> None:
    path = GOLDEN / "scene_012.npz"
    data, scenario = load_extended_golden(path).data, golden_scenario(path)
    names = data["columns"].tolist()
    for index in range(0, 64, 9):
        row = score_plan_extended(scenario, golden_plan(data, index), "epdms", extended_reference).row
        expected = dict(zip(names, data["v2_pair_human_filtered"][index], strict=True))
        for name in ("ego_progress", "no_at_fault_collisions", "lane_keeping", "history_comfort"):
            assert getattr(row, name) == pytest.approx(expected[name], abs=1e-6)


def test_the_corrected_mode_has_its_own_rules() -> None:
    scenario = make_scenario()
    published, corrected = (
        extended_reference(scenario, scenario.initial_frame, mode.pdm) for mode in (EPDMS, EPDMS_CORRECTED)
    )
    # The published first step brakes for a wall that is not there.
    assert corrected.states[-1, 0] > published.states[-1, 0]


def test_no_route() -> None:
    scenario = make_scenario(route=())
    with pytest.raises(MapQueryError):
        extended_reference(scenario, scenario.initial_frame, EPDMS.pdm)
