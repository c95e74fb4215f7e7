"""Contacts on a device against all pairs of ego and track, one by one."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from dataclasses import replace  # noqa: E402

from factories import make_tracks  # noqa: E402
from metrics_factories import random_drive, random_tracks, two_lane_scene  # noqa: E402
from simengine.datatypes.agents import AgentTracks  # noqa: E402
from simengine.geometry.overlap import box_overlap  # noqa: E402
from simengine.gpu.contacts import find_contacts  # noqa: E402
from simengine.gpu.ego_geometry import ego_geometry  # noqa: E402
from simengine.gpu.room import AS_NEEDED, Room  # noqa: E402
from simengine.gpu.rule_tensors import rule_tensors  # noqa: E402
from simengine.gpu.traffic import upload_traffic  # noqa: E402
from simengine.gpu.traffic_grid import traffic_grid  # noqa: E402
from simengine.metrics.pdm.contact import track_boxes  # noqa: E402
from simengine.metrics.pdm.ego_geometry import ego_geometry as cpu_ego_geometry  # noqa: E402
from simengine.metrics.pdm.parameters import WORLDENGINE_V1, PdmParameters  # noqa: E402
from simengine.metrics.pdm.scene import PdmScene  # noqa: E402
from simengine.metrics.pdm.ttc import look_ahead_frames  # noqa: E402

CPU = torch.device("cpu")


def contacts_of(
    states: np.ndarray, scene: PdmScene, room: Room = AS_NEEDED
) -> set[tuple[int, int, int, int]]:
    columns = torch.from_numpy(states).movedim(-1, 0).contiguous()
    rules = rule_tensors(states.shape[1], scene.dt, scene.parameters, CPU)
    ego, traffic = ego_geometry(columns, scene.vehicle), upload_traffic(scene, CPU)
    made, needed = find_contacts(ego, traffic, rules.ahead, rules.times, room)
    table = torch.stack([made.row, made.state, made.look, made.track])[:, made.real]
    found = list(zip(*table.tolist(), strict=True))
    assert len(set(found)) == len(found) == int(needed[1])
    return set(found)


def every_pair(states: np.ndarray, scene: PdmScene) -> set[tuple[int, int, int, int]]:
    ego, tracks = cpu_ego_geometry(states, scene.vehicle), track_boxes(scene.observation, scene.parameters)
    half, found = (ego.half_length, ego.half_width), set()
    for look, frames in enumerate(look_ahead_frames(scene.dt, scene.parameters)):
        far = frames * scene.dt * ego.speed
        x, y = ego.center_x + far * ego.cos, ego.center_y + far * ego.sin
        for p, s in np.ndindex(x.shape):
            if s + frames >= tracks.num_frames:
                continue
            for a in np.flatnonzero(tracks.present[s + frames]):
                box = (*tracks.pose[s + frames, a], *tracks.half[a])
                if box_overlap(x[p, s], y[p, s], ego.cos[p, s], ego.sin[p, s], *half, *box):
                    found.add((p, s, look, int(a)))
    return found


@pytest.mark.parametrize("parameters", [PdmParameters(), WORLDENGINE_V1], ids=["navsim_v1", "worldengine_v1"])
@pytest.mark.parametrize("seed", range(3))
def test_all_contacts_are_found(seed: int, parameters: PdmParameters) -> None:
    rng = np.random.default_rng(seed)
    scene = replace(two_lane_scene(random_tracks(rng, 12)), parameters=parameters)
    states = np.stack([random_drive(rng) for _ in range(4)])
    expected = every_pair(states, scene)
    assert contacts_of(states, scene) == expected
    assert contacts_of(states, scene, Room(boxes=4096, contacts=2048)) == expected
    assert len(expected) > 20


def test_no_tracks_and_tracks_that_end() -> None:
    states = np.stack([random_drive(np.random.default_rng(0))] * 2)
    assert contacts_of(states, two_lane_scene()) == set()
    # A track that stands on the start for three frames only.
    tracks = make_tracks(np.tile([14.0, 0.0, 0.3], (1, 3, 1)))
    scene = two_lane_scene(AgentTracks(*(getattr(tracks, f) for f in tracks.__dataclass_fields__)))
    found = contacts_of(states, scene)
    assert found == every_pair(states, scene)
    assert {state for _, state, _, _ in found} <= {0, 1, 2}


def test_room_left_over_meets_nobody() -> None:
    states = np.zeros((2, 41, 11))
    far = two_lane_scene(make_tracks(np.tile([500.0, 0.0, 0.0], (1, 51, 1))))
    for scene in (far, two_lane_scene()):
        assert contacts_of(states, scene, Room(boxes=64, contacts=16)) == set()


def test_a_long_track_far_away_makes_cells_larger_not_more() -> None:
    poses = np.zeros((2, 51, 3))
    poses[1, :, :2] = 1e5
    scene = two_lane_scene(make_tracks(poses))
    grid = traffic_grid(track_boxes(scene.observation, scene.parameters), 2.83)
    assert grid.cells_per_frame * 51 < 1_500_000
    states = np.stack([random_drive(np.random.default_rng(1))])
    states[0, :, :3] = 0.0
    assert contacts_of(states, scene) == every_pair(states, scene) != set()
