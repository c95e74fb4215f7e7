"""`simengine convert` for nuPlan, with the published converter's options and mistakes a user may make."""

import json
from pathlib import Path

import pytest

from nuplan_factories import town, write_map
from nuplan_log_factories import NAME, drive, sweep_token, write_asset, write_db, write_filter
from scenario_factories import assert_identical
from simengine.cli import convert
from simengine.entry import run_command
from simengine.scenario.splits import load_index

TOKENS = [sweep_token(k) for k in (40, 60, 80, 100)]


@pytest.fixture
def world(tmp_path, monkeypatch) -> Path:
    """A folder with logs in `dbs`, maps in `maps` and a filter with four tokens in `f.yaml`; we are in it."""
    monkeypatch.chdir(tmp_path)
    write_map(tmp_path / "maps", town())
    write_filter(tmp_path / "f.yaml", tokens=TOKENS)
    write_db(tmp_path / "dbs" / f"{NAME}.db", drive())
    return tmp_path


def main(words: list[str]) -> int:
    return run_command("simengine", "", "0", {"convert": convert}, words)


def tree(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
    }


def test_the_command_line_of_the_published_converter(world, capsys):
    words = [
        *("convert", "--navsim-filters", "f.yaml", "--nuplan-root-path", "unused", "--nuplan-db-path", "dbs"),
        *(
            "--nuplan-sensor-path",
            "unused",
            "--nuplan-map-version",
            "nuplan-maps-v1.0",
            "--nuplan-map-root",
            "maps",
        ),
        *("--out-dir", "out", "--sample-interval", "10", "--num-processes", "1", "--num-splits", "8"),
    ]
    assert main(words) == 0
    assert "read 4 scenarios, skipped 0" in capsys.readouterr().out
    assert (
        main(
            [
                "convert",
                "dbs",
                "native",
                "--navsim-filters",
                "f.yaml",
                "--nuplan-map-root",
                "maps",
                "--workers",
                "1",
            ]
        )
        == 0
    )
    assert tree(world / "out") == tree(world / "native")
    for left, right in zip(load_index(world / "out"), load_index(world / "native"), strict=True):
        assert_identical(left.load(), right.load())


def test_defaults_of_the_command_line(world, capsys, monkeypatch):
    (world / "data" / "raw" / "nuplan" / "dataset" / "nuplan-v1.1" / "splits").mkdir(parents=True)
    (world / "dbs").rename(world / "data/raw/nuplan/dataset/nuplan-v1.1/splits/all_sensor")
    monkeypatch.setenv("NUPLAN_MAPS_ROOT", str(world / "maps"))
    write_asset(world / "data/sim_engine/assets/navtrain", "block_a", TOKENS[:1])
    assert main(["convert", "--navsim-filters", "f.yaml", "--out-dir", "out", "--workers", "1"]) == 0
    assert "read 1 scenarios" in capsys.readouterr().out
    assert json.loads((world / "out" / "index.json").read_text())["scenarios"][0]["token"] == TOKENS[0]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["dbs"], "no destination, expected DST or --out-dir"),
        ([], "SRC or DST is missing"),
        (
            ["dbs", "out", "--nuplan-map-root", "none"],
            "none of 2 scenarios could be read, the first because: none",
        ),
        (["dbs", "out", "--navsim-filters", "none.yaml"], "none.yaml: cannot be read"),
        (["dbs", "out", "--openscene-dataroot", "none"], "openscene_root is none, expected a folder"),
        (["dbs", "out", "--sample-interval", "0"], "sample_interval is 0"),
        (["--nuplan-db-path", "none", "--out-dir", "out"], "none: no logs found"),
    ],
)
def test_mistakes_on_the_command_line_are_one_sentence(world, capsys, words, sentence):
    assert main(["convert", *words, *(["--workers", "1"] if words else [])]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    said = [line for line in lines if line.startswith("simengine convert: ")]
    assert len(said) == 1 and sentence in said[0]
    assert not (world / "out").exists()
