"""The scorer in torch against the compiled one: on a processor everything discrete is equal."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import shapely

torch = pytest.importorskip("torch")

from factories import shared_data  # noqa: E402
from metrics_factories import (  # noqa: E402
    random_drive,
    random_tracks,
    straight_states,
    straight_tracks,
    two_lane_scene,
)
from pdm_golden import FOLDER, load_golden  # noqa: E402
from simengine.gpu.scene import GpuScene  # noqa: E402
from simengine.gpu.scorer import score_batch  # noqa: E402
from simengine.metrics.pdm.map_areas import DrivableMap, Layer  # noqa: E402
from simengine.metrics.pdm.parameters import (  # noqa: E402
    CORRECTED,
    NAVSIM_V1,
    WORLDENGINE_V1,
    WORLDENGINE_V1_DENSE,
    PdmParameters,
)
from simengine.metrics.pdm.scene import PdmScene  # noqa: E402
from simengine.metrics.pdm.scorer import score_batch as compiled  # noqa: E402

GOLDEN = sorted(FOLDER.glob("scene_[0-9][0-9][0-9].npz"))
MODES = [NAVSIM_V1, CORRECTED, WORLDENGINE_V1, WORLDENGINE_V1_DENSE]
RULES = [
    item.name
    for item in fields(PdmParameters)
    if getattr(CORRECTED, item.name) != getattr(NAVSIM_V1, item.name) and item.name != "mode"
]
ALL = MODES + [replace(NAVSIM_V1, **{name: getattr(CORRECTED, name)}) for name in RULES]
NAMES = ["navsim_v1", "corrected", "worldengine_v1", "dense", *RULES]
# Series are rounded to 8 decimals before jerk is derived from them, at 0.1 s.
TOLERANCE = {"ego_progress": 1e-9, "raw_progress": 1e-9, "score": 1e-9, "series": 1e-6}


def assert_equal(expected: object, found: object) -> None:
    for name in (field.name for field in fields(expected)):
        a, b = getattr(expected, name), getattr(found, name)
        if is_dataclass(a):
            assert_equal(a, b)
            continue
        assert (a.dtype, a.shape) == (b.dtype, b.shape), name
        np.testing.assert_allclose(b, a, rtol=0.0, atol=TOLERANCE.get(name, 0.0), err_msg=name)


def assert_same(states: np.ndarray, scene: PdmScene) -> None:
    assert_equal(compiled(states, scene), score_batch(torch.from_numpy(states), scene).numpy())


def drives(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return random drives, some of them standing, reversing or turning hard."""
    states = np.stack([random_drive(rng) for _ in range(count)])
    states[::5, :, :3] = states[::5, :1, :3]
    states[::5, :, 3] = rng.choice([0.0, 0.03, 0.05])
    states[1::5, :, 3] *= -1.0
    states[2::5, :, 2] += np.cumsum(rng.uniform(-0.2, 0.2, (41, 1)), axis=0).T
    states[..., 9] = rng.normal(0.0, 0.3, states.shape[:2])
    return states


@pytest.mark.parametrize("parameters", MODES, ids=NAMES[:4])
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_scenes(path: Path, parameters: PdmParameters) -> None:
    golden = load_golden(path)
    assert_same(golden.states, replace(golden.scene, parameters=parameters))


@pytest.mark.slow
def test_all_shared_scenes() -> None:
    paths = sorted(shared_data("golden", "pdm").glob("scene_[0-9][0-9][0-9].npz"))
    assert len(paths) == 20
    for path in paths:
        golden = load_golden(path)
        for parameters in MODES:
            assert_same(golden.states, replace(golden.scene, parameters=parameters))


@pytest.mark.parametrize("parameters", ALL, ids=NAMES)
def test_random_drives_with_every_rule(parameters: PdmParameters) -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        scene = replace(two_lane_scene(random_tracks(rng, 20)), parameters=parameters)
        assert_same(drives(rng, 40), scene)


@pytest.mark.parametrize("parameters", MODES, ids=NAMES[:4])
def test_states_half_a_second_apart(parameters: PdmParameters) -> None:
    rng = np.random.default_rng(1)
    scene = replace(two_lane_scene(random_tracks(rng, 12)), parameters=parameters, dt=0.5)
    assert_same(drives(rng, 20)[:, :9], scene)


def star(rng: np.random.Generator) -> shapely.Geometry:
    angle = np.sort(rng.uniform(0.0, 2 * np.pi, int(rng.integers(4, 30))))
    radius, center = rng.uniform(2.0, 25.0, len(angle)), rng.uniform([0.0, -10.0], [70.0, 10.0])
    return shapely.Polygon(center + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1))


@pytest.mark.parametrize("parameters", MODES, ids=NAMES[:4])
@pytest.mark.parametrize("count", [1, 20, 64, 150])
def test_random_maps(count: int, parameters: PdmParameters) -> None:
    rng = np.random.default_rng(count)
    polygons = [shapely.Polygon() if k % 7 == 3 else star(rng) for k in range(count)]
    ids = tuple(f"area_{k}" for k in range(count))
    layers = tuple(list(Layer)[k] for k in rng.integers(0, len(Layer), count))
    made = DrivableMap(ids, layers, np.array(polygons, dtype=object))
    scene = replace(
        two_lane_scene(random_tracks(rng, 10)),
        drivable=made,
        route_lanes=frozenset(ids[::2]),
        centerline=np.cumsum(rng.uniform(-1.0, 4.0, (int(rng.integers(2, 40)), 2)), axis=0),
        parameters=parameters,
    )
    assert_same(drives(rng, 30), scene)


@pytest.mark.parametrize("parameters", MODES, ids=NAMES[:4])
def test_bare_scenes(parameters: PdmParameters) -> None:
    nothing = DrivableMap((), (), np.array([], dtype=object))
    bare = replace(two_lane_scene(), drivable=nothing, route_lanes=frozenset(), parameters=parameters)
    states = drives(np.random.default_rng(0), 5)
    for line in (np.zeros((0, 3)), np.zeros((1, 3)), np.zeros((3, 3)), np.repeat(bare.centerline, 2, axis=0)):
        assert_same(states, replace(bare, centerline=line))
    # One proposal alone, and some that leave the map and everybody behind.
    assert_same(states[:1], replace(two_lane_scene(), parameters=parameters))
    assert_same(states * 50.0, replace(two_lane_scene(), parameters=parameters))


def test_tracks_that_come_and_go_and_end_early() -> None:
    rng = np.random.default_rng(4)
    tracks = random_tracks(rng, 30)
    come_and_go = replace(tracks, valid=rng.random(tracks.valid.shape) < 0.5)
    ends = replace(
        tracks, pose=tracks.pose[:, :25], velocity=tracks.velocity[:, :25], valid=tracks.valid[:, :25]
    )
    for parameters in MODES:
        for seen in (come_and_go, ends):
            assert_same(drives(rng, 20), replace(two_lane_scene(seen), parameters=parameters))


def test_backing_into_somebody_is_no_harmless_contact_from_behind() -> None:
    # The track's front end reaches 0.4 m over the rear end of the ego, 1.127 m behind the axle at 12 m.
    scene = replace(two_lane_scene(straight_tracks((9.0, 0.0, 0.0, 0.0))), parameters=CORRECTED)
    states = np.stack([straight_states(1.0), straight_states(-1.0)])
    assert_same(states, scene)
    assert compiled(states, scene).no_at_fault_collisions.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("parameters", MODES, ids=NAMES[:4])
def test_a_few_rows_at_a_time(parameters: PdmParameters) -> None:
    rng = np.random.default_rng(2)
    scene = GpuScene.upload(
        replace(two_lane_scene(random_tracks(rng, 20)), parameters=parameters), torch.device("cpu")
    )
    states = torch.from_numpy(drives(rng, 25))
    assert_equal(score_batch(states, scene).numpy(), score_batch(states, scene, rows=4).numpy())


@pytest.mark.parametrize("parameters", MODES, ids=NAMES[:4])
def test_too_many_rows_for_memory(parameters: PdmParameters, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    scene = replace(two_lane_scene(random_tracks(rng, 20)), parameters=parameters)
    monkeypatch.setattr("simengine.gpu.scorer._ENTRIES", 10_000)
    assert_same(drives(rng, 25), scene)


def test_float32_and_strided_states_are_scored_as_they_are() -> None:
    scene = two_lane_scene(random_tracks(np.random.default_rng(0)))
    coarse = np.stack([straight_states(6.0), straight_states(9.0)]).astype(np.float32)
    time_first = torch.from_numpy(coarse).transpose(0, 1).contiguous().transpose(0, 1)
    assert_equal(compiled(coarse, scene), score_batch(time_first, scene).numpy())


def test_nothing_is_recorded_for_gradients() -> None:
    states = torch.from_numpy(straight_states()[None]).requires_grad_()
    assert not score_batch(states, two_lane_scene()).score.requires_grad
