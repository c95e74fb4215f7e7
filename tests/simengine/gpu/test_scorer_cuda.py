"""The scorer on a CUDA device: golden scenes, batches in parts, and what to say when a sub-score flips."""

from __future__ import annotations

import importlib.util
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from metrics_factories import random_drive, random_tracks, two_lane_scene
from pdm_golden import FOLDER, load_golden
from simengine.metrics.pdm.parameters import (
    CORRECTED,
    NAVSIM_V1,
    WORLDENGINE_V1,
    WORLDENGINE_V1_DENSE,
    PdmParameters,
)
from simengine.metrics.pdm.scene import PdmScene
from simengine.metrics.pdm.scorer import PdmBatch
from simengine.metrics.pdm.scorer import score_batch as compiled

pytestmark = pytest.mark.gpu

MODES = [NAVSIM_V1, CORRECTED, WORLDENGINE_V1, WORLDENGINE_V1_DENSE]
NAMES = ["navsim_v1", "corrected", "worldengine_v1", "dense"]
FLIPS = (
    "no_at_fault_collisions",
    "drivable_area_compliance",
    "time_to_collision_within_bound",
    "comfort",
    "driving_direction_compliance",
)
"""In the order of the golden array `stable`."""


@pytest.fixture(scope="module")
def device() -> str:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return "cuda"


def on(device: str, states: np.ndarray, scene: PdmScene, rows: int | None = None) -> PdmBatch:
    import torch

    from simengine.gpu.scorer import score_batch

    return score_batch(torch.from_numpy(states).to(device), scene, rows).numpy()


def margin(states: np.ndarray, scene: PdmScene, name: str) -> float:
    """Return the smallest error of the states, of those tried, that flips a sub-score on the processor."""
    rng, before = np.random.default_rng(0), getattr(compiled(states[None], scene), name)[0]
    for error in 10.0 ** np.arange(-14, -2):
        moved = states + error * rng.uniform(-1.0, 1.0, (64, *states.shape))
        if (getattr(compiled(moved, scene), name) != before).any():
            return float(error)
    return float("inf")


def flips(
    states: np.ndarray, scene: PdmScene, found: PdmBatch, stable: np.ndarray | None = None
) -> list[str]:
    """Return a sentence for each sub-score that is not the processor's."""
    expected, said = compiled(states, scene), []
    for column, name in enumerate(FLIPS):
        mine, theirs = getattr(found, name), getattr(expected, name)
        for row in np.flatnonzero(mine != theirs):
            known = "" if stable is None else f", stable in the golden file: {bool(stable[row, column])}"
            error = margin(states[row], scene, name)
            said.append(
                f"{name} of proposal {row} is {mine[row]}, not {theirs[row]};"
                f" errors of {error:g} in its states flip it on the processor{known}"
            )
    return said


def golden_paths() -> list[Path]:
    shared = Path(__file__).resolve().parents[4] / "shared" / "golden" / "pdm"
    return sorted((shared if shared.exists() else FOLDER).glob("scene_[0-9][0-9][0-9].npz"))


@pytest.mark.parametrize("parameters", MODES, ids=NAMES)
@pytest.mark.parametrize("path", golden_paths(), ids=lambda path: path.stem)
def test_golden_scenes(device: str, path: Path, parameters: PdmParameters) -> None:
    golden = load_golden(path)
    scene = replace(golden.scene, parameters=parameters)
    found, expected = on(device, golden.states, scene), compiled(golden.states, scene)
    assert not (said := flips(golden.states, scene, found, golden.data["stable"])), "\n".join(said)
    for name in ("ego_progress", "raw_progress", "score"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-6, err_msg=name)
    np.testing.assert_array_equal(found.collisions.first_frame, expected.collisions.first_frame)
    np.testing.assert_array_equal(found.collisions.track, expected.collisions.track)
    np.testing.assert_array_equal(found.ttc_violations.first_frame, expected.ttc_violations.first_frame)
    np.testing.assert_array_equal(found.first_off_road, expected.first_off_road)
    np.testing.assert_allclose(found.comfort_detail.series, expected.comfort_detail.series, atol=1e-6)


@pytest.mark.parametrize("path", golden_paths(), ids=lambda path: path.stem)
def test_golden_numbers(device: str, path: Path) -> None:
    golden = load_golden(path)
    found, data = on(device, golden.states, golden.scene), golden.data
    expected = np.vstack([data["out_multi"], data["out_weighted"][[1, 2, 3]]])
    flipped = np.stack([getattr(found, name) for name in FLIPS]) != expected
    said = flips(golden.states, golden.scene, found, data["stable"])
    assert not flipped.any(), said or "the processor flips the same sub-scores"
    np.testing.assert_allclose(found.score, data["out_score_batch"], atol=1e-5)
    np.testing.assert_allclose(found.ego_progress, data["out_weighted"][0], atol=1e-5)


@pytest.mark.parametrize("parameters", MODES, ids=NAMES)
def test_random_drives(device: str, parameters: PdmParameters) -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        scene = replace(two_lane_scene(random_tracks(rng, 40)), parameters=parameters)
        states = np.stack([random_drive(rng) for _ in range(500)])
        assert not (said := flips(states, scene, on(device, states, scene))), "\n".join(said)


def assert_identical(left: object, right: object) -> None:
    for name in (field.name for field in fields(left)):
        a, b = getattr(left, name), getattr(right, name)
        if is_dataclass(a):
            assert_identical(a, b)
        elif name == "series":  # a product of matrices may be summed in another order at another size
            np.testing.assert_allclose(a, b, atol=1e-6)
        else:
            np.testing.assert_array_equal(a, b, err_msg=name)


@pytest.mark.parametrize("parameters", MODES, ids=NAMES)
def test_a_few_rows_at_a_time(device: str, parameters: PdmParameters) -> None:
    golden = load_golden(FOLDER / "scene_009.npz")
    scene = replace(golden.scene, parameters=parameters)
    states = np.concatenate([golden.states] * 20)
    whole = on(device, states, scene)
    assert_identical(whole, on(device, states, scene, rows=97))
    assert_identical(whole, on(device, states, scene))


@pytest.mark.parametrize("parameters", MODES, ids=NAMES)
def test_one_recording_for_all_golden_scenes(device: str, parameters: PdmParameters) -> None:
    import torch

    from simengine.gpu.scorer import GpuScorer

    scorer, scenes = GpuScorer(), [load_golden(path) for path in golden_paths()]
    for _ in range(2):
        for golden in scenes:
            scene = replace(golden.scene, parameters=parameters)
            found = scorer.score_batch(torch.from_numpy(golden.states).to(device), scene).numpy()
            assert_identical(on(device, golden.states, scene), found)


@pytest.mark.parametrize("parameters", MODES, ids=NAMES)
def test_recorded_random_drives(device: str, parameters: PdmParameters) -> None:
    import torch

    from simengine.gpu.scorer import GpuScorer

    scorer, kept = GpuScorer(), []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        scene = replace(two_lane_scene(random_tracks(rng, 8 * seed + 1)), parameters=parameters)
        states = np.stack([random_drive(rng) for _ in range(300)])
        kept.append((states, scene, scorer.score_batch(torch.from_numpy(states).to(device), scene, rows=100)))
    for states, scene, batch in kept:
        assert_identical(on(device, states, scene), batch.numpy())
        assert not (said := flips(states, scene, batch.numpy())), "\n".join(said)
