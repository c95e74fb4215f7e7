"""The averages file of a worldengine_v1 run, every cell worked out by hand."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from factories import make_scenario, make_straight_map, make_tracks
from simengine.cli.main import main
from simengine.datatypes.agents import AgentType
from simengine.scenario.splits import write_split

FRAMES = 24
COLUMNS = [
    "token", "step", "no_at_fault_collisions", "drivable_area_compliance", "ego_progress",
    "time_to_collision_within_bound", "comfort", "driving_direction_compliance", "score", "first_violation_step",
]  # fmt: skip


def standing(kind: AgentType, x: float):
    """Return something that stands in the way, its near side at `x`."""
    tracks = make_tracks(np.zeros((1, FRAMES, 3)), 0.5, kind)
    tracks.pose[:, :, 0] = x + 0.5 * tracks.size[0, 0]
    return tracks


def scenario(token: str, **changes):
    """Return an ego that drives along +x at 8 m/s: at frame k its front is at 4 k + 4.049 m."""
    return make_scenario(FRAMES, 0.5, token=token, **changes)


def scenarios():
    # The front reaches 37.7 m at frame 9 (40.049 m, after 36.049 m), 25 m at frame 6 (28.049 m, after 24.049 m). The
    # short road ends at 40 m: the front corners are off it at frame 9.
    short = make_straight_map(length=45.0)
    return [
        scenario("clear", tags={"legacy_id": "2021.05.12_veh-35_01008-clear"}),
        scenario("car", agents=standing(AgentType.VEHICLE, 37.7)),
        scenario("cone", agents=standing(AgentType.TRAFFIC_CONE, 37.7)),
        scenario("walker", agents=standing(AgentType.PEDESTRIAN, 37.7)),
        scenario("end", map=short),
        scenario("cone-end", agents=standing(AgentType.TRAFFIC_CONE, 25.0), map=short),
        scenario("car-end", agents=standing(AgentType.VEHICLE, 25.0), map=short),
        replace(scenario("ends-early"), initial_frame=18),
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("we")
    write_split(scenarios(), root / "splits" / "mine")
    words = [
        f"data_file_folder_path={root}/splits/mine", "with_render_manager=false", "with_metric_manager=true",
        "ego_controller=log_play_controller", f"output_dir={root}/run/WE_output", "ego=constant_velocity",
    ]  # fmt: skip
    assert (
        main(["run", "--config-name", "default_runner", *words]) == 0
    )  # a failed one does not stop the original
    return root / "run" / "WE_output"


def read(run: Path) -> list[list[str]]:
    with (run / "openscene_format" / "all_scenes_pdm_averages_NR.csv").open(newline="") as file:
        return list(csv.reader(file))


def test_columns_and_rows_have_the_published_names(run):
    header, *lines = read(run)
    assert header == COLUMNS
    assert [line[0] for line in lines] == [
        "log-0-car", "log-0-car-end", "2021.05.12_veh-35_01008-clear", "log-0-cone", "log-0-cone-end",
        "log-0-end", "log-0-walker",
        "overall_average",
    ]  # fmt: skip
    assert {line[1] for line in lines} == {"11.00000"}


@pytest.mark.parametrize(
    ("token", "cells"),
    [
        # NC, DAC, EP, TTC, C, DDC, score, first violation; EP is multiplied by NC and DAC.
        ("2021.05.12_veh-35_01008-clear", [1, 1, 1, 1, 1, 1, 1, None]),
        ("log-0-car", [0, 1, 0, 0, 1, 1, 0, 9]),
        # A thing costs half: 0.5 (5 * 0.5 + 5 * 0 + 2) / 12. It is no violation.
        ("log-0-cone", [0.5, 1, 0.5, 0, 1, 1, 0.1875, None]),
        # Nobody is on foot in this protocol.
        ("log-0-walker", [1, 1, 1, 1, 1, 1, 1, None]),
        # Beyond the end the centre, 1.461 m ahead of the axle, drives 8 m to frames 10 and 11 on no lane.
        ("log-0-end", [1, 0, 0, 1, 1, 0, 0, 9]),
        # The cone is hit at frame 6, but only leaving the road counts.
        ("log-0-cone-end", [0.5, 0, 0, 0, 1, 0, 0, 9]),
        ("log-0-car-end", [0, 0, 0, 0, 1, 0, 0, 6]),
        ("overall_average", [4 / 7, 4 / 7, 2.5 / 7, 3 / 7, 1, 4 / 7, 2.1875 / 7, 8.25]),
    ],
)
def test_cells(run, token, cells):
    (line,) = [line for line in read(run) if line[0] == token]
    assert line[2:] == ["" if cell is None else f"{cell:.5f}" for cell in cells]


def test_a_failed_scenario_is_no_row_there_but_one_in_our_table(run):
    rows = {row["token"]: row for row in csv.DictReader((run / "scores.csv").open(newline=""))}
    assert rows["ends-early"]["status"] == "failed"
    assert "2.5 s after its first decision" in rows["ends-early"]["error"]
    assert {(row["protocol"], row["mode"], row["traffic"]) for row in rows.values()} == {
        ("worldengine_v1", "worldengine_v1", "NR")
    }
    assert rows["cone"]["success"] == "0.000000"
