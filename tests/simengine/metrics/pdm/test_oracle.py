"""The compiled scorer against the slow one, in every mode and with every rule on its own."""

from dataclasses import fields, replace

import numpy as np
import pytest

from metrics_factories import random_drive, random_tracks, two_lane_scene
from oracles.pdm_scorer import SlowScorer
from pdm_golden import FOLDER, load_golden
from simengine.metrics.pdm.comfort import BOUNDS
from simengine.metrics.pdm.parameters import (
    CORRECTED,
    NAVSIM_V1,
    WORLDENGINE_V1,
    WORLDENGINE_V1_DENSE,
    PdmParameters,
)
from simengine.metrics.pdm.scene import PdmScene
from simengine.metrics.pdm.scorer import score_batch

RULES = [
    item.name
    for item in fields(PdmParameters)
    if getattr(CORRECTED, item.name) != getattr(NAVSIM_V1, item.name) and item.name != "mode"
]
ONE_BY_ONE = [replace(NAVSIM_V1, **{name: getattr(CORRECTED, name)}) for name in RULES]
ALL = [NAVSIM_V1, CORRECTED, WORLDENGINE_V1, WORLDENGINE_V1_DENSE, *ONE_BY_ONE]
NAMES = ["navsim_v1", "corrected", "worldengine_v1", "dense", *RULES]


def assert_same(states: np.ndarray, scene: PdmScene) -> None:
    batch = score_batch(states, scene)
    bounds = np.array(list(BOUNDS.values()))
    for row in range(len(states)):
        slow = SlowScorer(scene, states[row])
        for name in (
            "multiple_lanes",
            "non_drivable",
            "oncoming",
            "in_intersection",
            "center_in_intersection",
        ):
            flags = [flags[name] for flags in slow.flags]
            np.testing.assert_array_equal(getattr(batch.areas, name)[row], flags, err_msg=f"{name} {row}")
        hit, ttc = batch.collisions, batch.ttc_violations
        assert (batch.no_at_fault_collisions[row], hit.first_frame[row], hit.track[row]) == slow.collision()
        nearest = slow.time_to_collision()
        assert (batch.time_to_collision_within_bound[row], ttc.first_frame[row]) == nearest[:2]
        assert (batch.drivable_area_compliance[row], batch.first_off_road[row]) == slow.drivable()
        assert batch.raw_progress[row] == pytest.approx(slow.progress(), abs=1e-8)
        series = slow.comfort_series()
        np.testing.assert_allclose(batch.comfort_detail.series[row], series, atol=1e-6)
        inside = ((series > bounds[:, :1]) & (series < bounds[:, 1:])).all()
        assert batch.comfort[row] == float(inside)
        most = slow.wrong_way()
        expected = 1.0 if most < 2.0 else 0.5 if most < 6.0 else 0.0
        assert batch.driving_direction_compliance[row] == expected


@pytest.mark.parametrize("parameters", ALL, ids=NAMES)
def test_random_drives_on_a_straight_road(parameters: PdmParameters) -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        scene = replace(two_lane_scene(random_tracks(rng, 12)), parameters=parameters)
        assert_same(np.stack([random_drive(rng) for _ in range(5)]), scene)


@pytest.mark.parametrize("parameters", [NAVSIM_V1, CORRECTED, WORLDENGINE_V1], ids=NAMES[:3])
def test_golden_crossings(parameters: PdmParameters) -> None:
    golden = load_golden(FOLDER / "scene_009.npz")
    rows = np.random.default_rng(0).choice(65, 8, replace=False)
    assert_same(golden.states[rows], replace(golden.scene, parameters=parameters))


def test_every_rule_is_tried() -> None:
    # The parameters of simulation and of PDM-Closed are tested where they act.
    assert {"speed_at_contact", "harmless_from_behind", "excuse_ends_with_contact", "comfort"} <= set(RULES)
