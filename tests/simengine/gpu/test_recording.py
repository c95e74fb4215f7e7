"""One recording for many scenes: the same results, whatever is larger or smaller than the last time.

On a processor a replay does what a graph would: it reads the same tensors as before and writes the same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import shapely

torch = pytest.importorskip("torch")

from metrics_factories import random_drive, random_tracks, two_lane_scene  # noqa: E402
from simengine.gpu.batch import GpuBatch, score_part  # noqa: E402
from simengine.gpu.room import Room  # noqa: E402
from simengine.gpu.rule_tensors import rule_tensors  # noqa: E402
from simengine.gpu.scene import GpuScene  # noqa: E402
from simengine.gpu.scorer import GpuScorer, score_batch  # noqa: E402
from simengine.gpu.tensors import leaves, mapped  # noqa: E402
from simengine.metrics.pdm.map_areas import DrivableMap, Layer  # noqa: E402
from simengine.metrics.pdm.parameters import (  # noqa: E402
    CORRECTED,
    NAVSIM_V1,
    WORLDENGINE_V1,
    WORLDENGINE_V1_DENSE,
    PdmParameters,
)

CPU = torch.device("cpu")
MODES = [NAVSIM_V1, CORRECTED, WORLDENGINE_V1, WORLDENGINE_V1_DENSE]
NAMES = ["navsim_v1", "corrected", "worldengine_v1", "dense"]


@pytest.fixture(autouse=True)
def replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    def record(work: Callable[[], tuple[GpuBatch, torch.Tensor]], device: torch.device) -> Callable:
        batch, needed = work()

        def replay() -> tuple[GpuBatch, torch.Tensor]:
            again, needed_again = work()
            for place, values in zip(leaves(batch), leaves(again), strict=True):
                place.copy_(values)
            return batch, needed.copy_(needed_again)

        return replay

    monkeypatch.setattr("simengine.gpu.recording.record", record)


def drives(rng: np.random.Generator, count: int) -> torch.Tensor:
    return torch.from_numpy(np.stack([random_drive(rng) for _ in range(count)]))


def random_map(rng: np.random.Generator, count: int) -> DrivableMap:
    corners = rng.uniform([0.0, -10.0], [60.0, 6.0], (count, 2))
    boxes = [shapely.box(*corner, *(corner + rng.uniform(1.0, 30.0, 2))) for corner in corners]
    layers = tuple(list(Layer)[k] for k in rng.integers(0, len(Layer), count))
    return DrivableMap(tuple(f"area_{k}" for k in range(count)), layers, np.array(boxes, dtype=object))


def random_scene(rng: np.random.Generator, parameters: PdmParameters) -> GpuScene:
    """Return a scene of any size: up to 40 tracks, three words of polygons, 60 segments; or none of each."""
    scene = two_lane_scene(random_tracks(rng, int(rng.integers(1, 40))) if rng.random() < 0.8 else None)
    made = random_map(rng, int(rng.integers(0, 150)))
    line = np.cumsum(rng.uniform(-1.0, 4.0, (int(rng.integers(0, 60)), 2)), axis=0)
    route = frozenset(made.ids[::2])
    scene = replace(scene, drivable=made, route_lanes=route, centerline=line, parameters=parameters)
    return GpuScene.upload(scene, CPU)


def assert_identical(left: GpuBatch, right: GpuBatch) -> None:
    for a, b in zip(leaves(left), leaves(right), strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert torch.equal(a, b)


@pytest.mark.parametrize("parameters", MODES, ids=NAMES)
def test_scenes_of_all_sizes(parameters: PdmParameters) -> None:
    rng, scorer = np.random.default_rng(0), GpuScorer()
    for _ in range(12):
        scene = random_scene(rng, parameters)
        for states in (drives(rng, 8), drives(rng, 8)):
            assert_identical(score_batch(states, scene), scorer.score_batch(states, scene))


def test_a_batch_that_needs_more_room() -> None:
    rng, scorer = np.random.default_rng(1), GpuScorer()
    scene = GpuScene.upload(two_lane_scene(random_tracks(rng, 30)), CPU)
    far = drives(rng, 8)
    far[..., :2] += 1000.0
    for states in (far, far, drives(rng, 8), drives(rng, 8), far):
        assert_identical(score_batch(states, scene), scorer.score_batch(states, scene))


def test_shapes_and_rules_take_turns() -> None:
    rng, scorer = np.random.default_rng(2), GpuScorer(recordings=2)
    for _ in range(3):
        for parameters in MODES:
            for count in (3, 5):
                scene, states = random_scene(rng, parameters), drives(rng, count)
                assert_identical(score_batch(states, scene), scorer.score_batch(states, scene))


@pytest.mark.parametrize("parameters", MODES, ids=NAMES)
def test_parts_of_a_batch(parameters: PdmParameters) -> None:
    rng, scorer = np.random.default_rng(3), GpuScorer()
    scene = random_scene(rng, parameters)
    for _ in range(3):
        states = drives(rng, 25)
        whole = score_batch(states, scene)
        assert_identical(whole, scorer.score_batch(states, scene, rows=4))


def test_results_are_the_callers_own() -> None:
    rng, scorer = np.random.default_rng(4), GpuScorer()
    scene, states = random_scene(rng, NAVSIM_V1), [drives(rng, 6) for _ in range(4)]
    batches = [scorer.score_batch(each, scene) for each in states]
    for each, batch in zip(states, batches, strict=True):
        assert_identical(score_batch(each, scene), batch)


def test_scored_under_inference_mode_and_outside() -> None:
    rng, scorer = np.random.default_rng(5), GpuScorer()
    scene, states = random_scene(rng, NAVSIM_V1), drives(rng, 4)
    expected = score_batch(states, scene)
    for _ in range(2):
        with torch.inference_mode():
            assert_identical(expected, scorer.score_batch(states.clone(), scene))
    assert_identical(expected, scorer.score_batch(states.clone().requires_grad_(), scene))


@pytest.mark.parametrize("parameters", MODES, ids=NAMES)
def test_nothing_depends_on_values_once_there_is_room(parameters: PdmParameters) -> None:
    # Tensors on the device "meta" have no values: whatever asks for one, or mixes in a tensor of the processor,
    # raises an error, as it would while a graph is recorded.
    def empty(tensor: torch.Tensor) -> torch.Tensor:
        return torch.empty_like(tensor, device="meta")

    scene = random_scene(np.random.default_rng(6), parameters)
    rules = rule_tensors(41, scene.dt, parameters, CPU)
    states = torch.empty((11, 5, 41), dtype=torch.float64, device="meta")
    batch, needed = score_part(states, mapped(empty, scene), mapped(empty, rules), Room(64, 128, 64, 32))
    assert {tensor.device.type for tensor in (*leaves(batch), needed)} == {"meta"}
    assert batch.score.shape == (5,)
    with pytest.raises(RuntimeError):
        score_part(states, mapped(empty, scene), mapped(empty, rules))
