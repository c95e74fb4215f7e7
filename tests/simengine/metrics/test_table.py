"""Score tables: round trip, determinism and the averages worked out by hand."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simengine.errors import ScenarioFormatError
from simengine.metrics.row import ScoreRow, failed_row
from simengine.metrics.table import (
    COLUMNS,
    read_scores_csv,
    scores_csv,
    scores_hash,
    write_compat_csv,
    write_scores_csv,
    write_summary_json,
)

NAN = float("nan")


def rows() -> list[ScoreRow]:
    full = ScoreRow(
        "b", "ok", 1.0, 1.0, 0.25, 1.0, 0.0, 0.5, 1 / 3, 1.0, mode="navsim_v1", seed=5, record_hash="ab"
    )
    hit = ScoreRow(
        "a", "ok", 0.0, 1.0, 0.75, 0.0, 1.0, 1.0, 0.0, 0.0, 1.5, 6, 'collision at 1.5 s with "x, y" (vehicle)'
    )
    unknown = ScoreRow(
        "c", "ok", 1.0, NAN, 1.0, 1.0, 1.0, NAN, NAN, 1.0, reasons={"score": "no map", "comfort": "x"}
    )
    return [full, unknown, hit, failed_row("d", "Broke: badly, with a comma")]


def read_cells(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_round_trip_and_order(tmp_path: Path) -> None:
    path = tmp_path / "new" / "scores.csv"
    digest = write_scores_csv(path, rows())
    back = read_scores_csv(path)
    assert [row.token for row in back] == ["a", "b", "c", "d"]
    assert scores_csv(back) == path.read_bytes()
    assert digest == scores_hash(rows()) == scores_hash(back)
    assert back[2].reasons == {"score": "no map", "comfort": "x"}
    assert back[0].blame == rows()[2].blame
    assert list(path.parent.iterdir()) == [path]


def test_bytes_depend_on_nothing_but_the_rows() -> None:
    forward, backward = scores_csv(rows()), scores_csv(rows()[::-1])
    assert forward == backward
    assert scores_hash(rows()) != scores_hash(rows()[1:])
    assert b"0.333333" in forward
    assert b"nan" not in forward.lower()


def test_missing_values_are_empty_cells(tmp_path: Path) -> None:
    write_scores_csv(tmp_path / "s.csv", rows())
    header, *lines = read_cells(tmp_path / "s.csv")
    assert tuple(header) == COLUMNS
    c = dict(zip(header, lines[2], strict=True))
    assert c["drivable_area_compliance"] == c["score"] == c["first_violation_step"] == ""
    assert json.loads(c["reasons"]) == {"comfort": "x", "score": "no map"}
    d = dict(zip(header, lines[3], strict=True))
    assert d["status"] == "failed"
    assert d["error"] == "Broke: badly, with a comma"


def test_the_last_row_of_a_token_wins() -> None:
    again = replace(rows()[0], score=0.5)
    assert scores_csv([*rows(), again]) == scores_csv([again, *rows()[1:]])


def test_compatible_file(tmp_path: Path) -> None:
    write_compat_csv(tmp_path / "all_scenes_pdm_averages_NR.csv", rows())
    lines = read_cells(tmp_path / "all_scenes_pdm_averages_NR.csv")
    assert lines[0] == [
        "token",
        "step",
        "no_at_fault_collisions",
        "drivable_area_compliance",
        "ego_progress",
        "time_to_collision_within_bound",
        "comfort",
        "driving_direction_compliance",
        "score",
        "first_violation_step",
    ]
    assert [line[0] for line in lines[1:]] == ["a", "b", "c", "overall_average"]
    assert lines[1][-1] == "6.00000"
    # Means over known cells: NC (0+1+1)/3, DAC over two, EP (0.75+0.25+1)/3, score (0+1/3)/2, one violation.
    assert lines[-1][1:] == [
        "11.00000", "0.66667", "1.00000", "0.66667", "0.66667", "0.66667", "0.75000", "0.16667", "6.00000",
    ]  # fmt: skip


def test_summary(tmp_path: Path) -> None:
    write_summary_json(tmp_path / "summary.json", rows())
    first = (tmp_path / "summary.json").read_bytes()
    write_summary_json(tmp_path / "summary.json", rows()[::-1])
    assert (tmp_path / "summary.json").read_bytes() == first
    summary = json.loads(first)
    assert summary["counts"] == {"total": 4, "ok": 3, "failed": 1, "unscored": 1}
    assert summary["columns"]["score"]["n"] == 2
    assert summary["columns"]["score"]["mean"] == pytest.approx(1 / 6)
    assert summary["scores_hash"] == scores_hash(rows())


def test_empty_tables(tmp_path: Path) -> None:
    write_scores_csv(tmp_path / "s.csv", [])
    assert read_scores_csv(tmp_path / "s.csv") == []
    write_compat_csv(tmp_path / "c.csv", [])
    assert read_cells(tmp_path / "c.csv")[1] == ["overall_average"] + [""] * 9
    write_summary_json(tmp_path / "s.json", [])
    assert json.loads((tmp_path / "s.json").read_text())["columns"]["score"]["mean"] is None


@pytest.mark.parametrize("change", ["header", "number", "reasons"])
def test_bad_files_are_refused(tmp_path: Path, change: str) -> None:
    text = scores_csv(rows()).decode()
    bad = {
        "header": text.replace("token", "name", 1),
        "number": text.replace("0.333333", "third"),
        "reasons": text.replace('{""', "{"),
    }
    path = tmp_path / "s.csv"
    path.write_text(bad[change])
    with pytest.raises(ScenarioFormatError, match=r"s\.csv"):
        read_scores_csv(path)


def test_nothing_is_left_of_a_failed_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scores_csv(tmp_path / "s.csv", rows())
    before = (tmp_path / "s.csv").read_bytes()

    def refuse(self: Path, target: Path) -> Path:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        write_scores_csv(tmp_path / "s.csv", [])
    assert (tmp_path / "s.csv").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_six_digits_survive() -> None:
    value = float(np.float64(0.1234564999))
    assert b"0.123456" in scores_csv([replace(rows()[0], score=value)])
