"""Aggregation and pairing against published tables of real models."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from factories import shared_data
from simengine.metrics.epdms.aggregate import EXTENDED_COMFORT, SUB_SCORES, epdms_score
from simengine.metrics.epdms.pairs import preceding_frames

AUDIT = "human_replay_stock_nonreactive"


def read(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        return list(csv.DictReader(file))


def audit(name: str) -> list[dict[str, str]]:
    return [row for row in read(shared_data("data", "navsim_audit", f"{name}.csv.gz")) if row["log_name"]]


def column(rows: list[dict[str, str]], name: str) -> np.ndarray:
    return np.array([float(row[name]) if row[name] else np.nan for row in rows])


def columns(rows: list[dict[str, str]], suffix: str = "") -> dict[str, np.ndarray]:
    return {name: column(rows, name + suffix) for name in SUB_SCORES if name + suffix in rows[0]}


@pytest.mark.parametrize("name", [AUDIT, "pdm_closed_stock_reactive", "pdm_closed_filter_off_reactive"])
def test_scores_without_a_frame_before_to_the_last_bit(name: str) -> None:
    rows = audit(name)
    assert len(rows) == 12146
    np.testing.assert_array_equal(epdms_score(columns(rows)), column(rows, "score"))


def test_scores_of_synthetic_follow_ups_to_the_last_bit() -> None:
    table = read(shared_data("data", "simscale", "pdms", "gtrs_dense_vov_sim_reward_navhard.csv"))
    rows = [row for row in table if len(row["token"]) == 17 and row["no_at_fault_collisions_stage_two"]]
    assert len(rows) == 5462
    np.testing.assert_array_equal(epdms_score(columns(rows, "_stage_two")), column(rows, "score"))


@pytest.mark.parametrize(
    ("name", "share"), [("diffusiondrive_sim_navtest", 0.876), ("ltf_sim_navtest", 0.879)]
)
def test_scores_and_pairs_of_one_stage_evaluation(name: str, share: float) -> None:
    frames = {row["token"]: row for row in audit(AUDIT)}
    rows = [
        row for row in read(shared_data("data", "simscale", "pdms", f"{name}.csv")) if row["token"] in frames
    ]
    ours, published = epdms_score(columns(rows)), column(rows, "score")
    assert (ours == published).mean() > share
    # The filter of that devkit excused columns only, not the score: the rest can but be lower.
    assert (published[ours != published] < ours[ours != published]).all()
    logged = [frames[row["token"]] for row in rows]
    before = preceding_frames([row["log_name"] for row in logged], column(logged, "start_time"))
    np.testing.assert_array_equal(before < 0, np.isnan(column(rows, EXTENDED_COMFORT)))
    assert (before < 0).sum() == 2106
