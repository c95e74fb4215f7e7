"""The published closed-loop score against golden numbers of its own code."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from factories import shared_data
from pdm_golden import FOLDER, load_golden
from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.ego import STATE_SIZE
from simengine.metrics.pdm.observation import observation_from_tracks
from simengine.metrics.pdm.parameters import WORLDENGINE_V1
from simengine.metrics.pdm.scorer import score_batch

COLUMNS = (
    "no_at_fault_collisions",
    "drivable_area_compliance",
    "ego_progress",
    "time_to_collision_within_bound",
    "comfort",
    "driving_direction_compliance",
    "score",
)


def assert_published_scores(path: Path) -> None:
    golden = load_golden(path)
    with np.load(path.with_name(f"{path.stem}_we.npz"), allow_pickle=False) as file:
        published = {name: file[name] for name in file.files}
    data, expert = golden.data, published["we_expert_states"]
    tracks = AgentTracks(
        golden.tracks.ids,
        data["agent_type"],
        np.nan_to_num(data["agent_pose"][:, :9]),
        np.nan_to_num(data["agent_velocity"][:, :9]),
        golden.tracks.size,
        data["agent_present"][:, :9],
    )
    scene = replace(
        golden.scene,
        observation=observation_from_tracks(tracks),
        centerline=expert[:, :3],
        dt=0.5,
        parameters=WORLDENGINE_V1,
    )
    columns = published["columns"].tolist()
    for row in range(64):
        executed = np.zeros((9, STATE_SIZE))
        executed[:, :5] = golden.states[row + 1, ::5, :5]
        batch = score_batch(np.stack([expert, executed]), scene)
        expected = published["we_scores"][row]
        for name in COLUMNS:
            assert getattr(batch, name)[1] == pytest.approx(expected[columns.index(name)], abs=1e-6), (
                row,
                name,
            )
        np.testing.assert_allclose(batch.raw_progress, published["we_progress_raw"][row], atol=1e-6)


@pytest.mark.parametrize("name", ["scene_009", "scene_012", "scene_018"])
def test_published_scores(name: str) -> None:
    assert_published_scores(FOLDER / f"{name}.npz")


def test_all_shared_scenes() -> None:
    paths = sorted(shared_data("golden", "pdm").glob("scene_[0-9][0-9][0-9].npz"))
    assert len(paths) == 20
    for path in paths:
        assert_published_scores(path)
