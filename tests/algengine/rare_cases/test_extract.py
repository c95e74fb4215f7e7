import json
import re

import numpy as np
import pytest
import yaml

from algengine.cli.main import main
from algengine.datasets.split_file import read_split, write_split
from algengine.evaluation.score_table import read_score_table
from algengine.rare_cases.extract import extract_rare_cases
from algengine.rare_cases.rules import REQUIRED, Thresholds
from factories import make_scenario, shared_data
from score_table_factories import RULE_COLUMNS, write_table
from simengine.errors import ScenarioFormatError
from simengine.metrics.row import ScoreRow, failed_row
from simengine.metrics.table import write_scores_csv
from simengine.scenario.splits import write_split as write_scenarios

BASE = """# a comment
_target_: navsim.common.dataclasses.SceneFilter
_convert_: 'all'
num_history_frames: 4
has_route: true
max_scenes: null
log_names:
  - '2021.06.03'
  - 20210604
tokens:
  - 1012345678901234
  - 'b'
  - c
"""
ROWS = [
    ("x", 0, 1, 1),  # not in the base split
    ("c", 0, 0, 1),
    ("1012345678901234", 0, 1, 1),
    ("b", 1, 1, 0.5),
    ("average", 0, 0, 0),
]


@pytest.fixture
def paths(tmp_path):
    (tmp_path / "base.yaml").write_text(BASE)
    return write_table(tmp_path / "scores.csv", ROWS), tmp_path / "base.yaml", tmp_path / "out"


def tokens_of(path) -> list[str]:
    return yaml.safe_load(path.read_text())["tokens"]


def test_the_splits_are_the_base_with_other_tokens(paths):
    extract_rare_cases(*paths)
    out = paths[2]
    assert sorted(path.name for path in out.iterdir()) == [
        "base_collision.yaml",
        "base_ep_1pct.yaml",
        "base_off_road.yaml",
        "base_rare_cases.json",
    ]
    # Keys sorted, lists unindented, in the order of the table: how the published files are written.
    assert (out / "base_collision.yaml").read_text() == (
        "_convert_: all\n_target_: navsim.common.dataclasses.SceneFilter\nhas_route: true\nlog_names:\n"
        "- 2021.06.03\n- '20210604'\nmax_scenes: null\nnum_history_frames: 4\n"
        "tokens:\n- c\n- '1012345678901234'\n"
    )
    assert tokens_of(out / "base_off_road.yaml") == ["c"]
    assert tokens_of(out / "base_ep_1pct.yaml") == []


def test_tokens_outside_the_base_can_be_kept_as_the_original_does(paths):
    report = extract_rare_cases(*paths, intersect=False)
    assert tokens_of(paths[2] / "base_collision.yaml") == ["x", "c", "1012345678901234"]
    assert report["counts"]["rows_outside_base"] == 1


def test_the_report_says_what_and_why(paths):
    report = extract_rare_cases(*paths)
    assert json.loads((paths[2] / "base_rare_cases.json").read_text()) == report
    assert report["counts"] == {
        "rows": 4,
        "summary_rows_left_out": 1,
        "duplicate_tokens": 0,
        "conflicting_duplicates": 0,
        "failed": 0,
        "values_missing": 0,
        "base_tokens": 3,
        "base_tokens_without_row": 0,
        "rows_outside_base": 1,
        "chosen": 2,
    }
    rules = {rule["name"]: rule for rule in report["rules"]}
    assert (rules["collision"]["tokens"], rules["collision"]["outside_base"]) == (2, 1)
    assert rules["ep_1pct"]["cut"] == 0.5
    assert rules["ep_1pct"]["tied_at_cut"] == 1
    assert report["chosen"][0] == {
        "token": "c",
        "rules": ["collision", "off_road"],
        **dict(zip(REQUIRED, (0.0, 0.0, 1.0), strict=True)),
    }
    assert {"rules": ["collision", "off_road"], "tokens": 1} in report["overlaps"]


def test_our_scores_of_our_split(tmp_path, capsys):
    scenarios = [make_scenario(token=token) for token in ("a", "b", "c")]
    write_scenarios(scenarios, tmp_path / "mine")
    rows = [ScoreRow("a", "ok", 0.0, 1.0, 0.4), ScoreRow("b", "ok", 1.0, 0.0), failed_row("c", "lost")]
    write_scores_csv(tmp_path / "scores.csv", rows)
    arguments = ["--pdm-result", str(tmp_path / "scores.csv"), "--base-split", str(tmp_path / "mine")]
    assert main(["rare-cases", *arguments, "--output-dir", str(tmp_path / "out")]) == 0
    assert tokens_of(tmp_path / "out" / "mine_collision.yaml") == ["a"]
    assert tokens_of(tmp_path / "out" / "mine_off_road.yaml") == ["b"]
    said = " ".join(capsys.readouterr().out.split())
    assert "1 rows failed and were not judged" in said
    assert "1 rows lack a value that a rule needs" in said
    assert "empty: ep_1pct" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tokens: [a", "no YAML"),
        ("- a\n", "no list `tokens`"),
        ("tokens: null\n", "no list `tokens`"),
        ("tokens: [[a]]\n", "no list `tokens`"),
        ("tokens: !!python/object/apply:os.system ['true']\n", "no YAML"),
    ],
)
def test_a_broken_split_is_one_sentence(text, said, tmp_path):
    (tmp_path / "base.yaml").write_text(text)
    with pytest.raises(ScenarioFormatError, match=said):
        read_split(tmp_path / "base.yaml")


def test_errors_reach_the_shell(tmp_path, capsys):
    table = write_table(tmp_path / "a.csv", [("t", 1)], ("token", "score"))
    (tmp_path / "base.yaml").write_text(BASE)
    arguments = ["--pdm-result", str(table), "--base-split", str(tmp_path / "base.yaml")]
    assert main(["rare-cases", *arguments, "--output-dir", str(tmp_path / "out")]) == 1
    assert "no column no_at_fault_collisions" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("rows", [[], [("x", 0, 1, 1), ("average", 0, 0, 0)]])
def test_scores_of_another_split_are_one_sentence(rows, paths):
    table, base, out = paths
    write_table(table, rows)
    with pytest.raises(
        ScenarioFormatError, match="has no row for any of the 3 tokens of .*base.yaml, expected"
    ):
        extract_rare_cases(table, base, out)
    assert not out.exists()
    if rows:
        extract_rare_cases(table, base, out, intersect=False)
        assert tokens_of(out / "base_collision.yaml") == ["x"]


def test_a_token_that_hydra_would_take_for_a_number_is_quoted(tmp_path):
    (tmp_path / "base.yaml").write_text("tokens: [12345678901234e5, 6184e66807c5b110]\n")
    split = read_split(tmp_path / "base.yaml")
    write_split(tmp_path / "again.yaml", split, split.tokens)
    assert (tmp_path / "again.yaml").read_text() == "tokens:\n- '12345678901234e5'\n- 6184e66807c5b110\n"
    assert read_split(tmp_path / "again.yaml").tokens == split.tokens


@pytest.mark.parametrize("name", ["navtrain_50pct_collision", "navtrain_50pct_off_road"])
def test_the_published_splits_are_read_and_written_back_byte_for_byte(name, tmp_path):
    """But for quotes around tokens like 12345678901234e5, which the published files lack."""
    path = shared_data("data", "worldengine_splits", f"{name}.yaml")
    split = read_split(path)
    write_split(tmp_path / "again.yaml", split, split.tokens)
    written = re.sub(r"'([0-9]+e[0-9]+)'", r"\1", (tmp_path / "again.yaml").read_text())
    assert written == path.read_text()


def test_the_published_counts_follow_from_the_rules(tmp_path, capsys):
    """The score table behind the published splits is not public; one that agrees with them is made here.

    50,000 tokens; those of the published collision split get NC = 0, those of the off-road split DAC = 0, all
    others distinct progress, lowest for the published slow drives. 50,000 - 362 - 4,476 + 17 = 45,179 drives are
    then clean, and ceil(0.01 * 45,178) = 452 lie strictly below the percentile: the published number.
    """
    folder = shared_data("data", "worldengine_splits")
    base = folder / "navtrain_50pct.yaml.gz"
    names = {"collision": 362, "off_road": 4476, "ep_1pct": 452}
    published = {n: read_split(folder / f"navtrain_50pct_{n}.yaml").tokens for n in names}
    hit, off, slow = (set(published[n]) for n in names)
    tokens = read_split(base).tokens
    progress = {token: 0.5 + 0.4 * i / len(tokens) for i, token in enumerate(tokens)}
    progress |= {token: 0.1 + 1e-5 * i for i, token in enumerate(sorted(slow))}
    rows = [(t, int(t not in hit), int(t not in off), progress[t]) for t in tokens]
    table = write_table(tmp_path / "navtrain.csv", rows, RULE_COLUMNS)
    report = extract_rare_cases(table, base, tmp_path / "out")
    found = {rule["name"]: rule["tokens"] for rule in report["rules"]}
    with capsys.disabled():
        print(f"\nrare splits of navtrain_50pct: {found}, of 50,000 tokens")
    assert found == names
    for name in names:
        assert set(tokens_of(tmp_path / "out" / f"navtrain_50pct_{name}.yaml")) == set(published[name])
    both = next(o for o in report["overlaps"] if o["rules"] == ["collision", "off_road"])
    assert both["tokens"] == 17


@pytest.mark.parametrize(
    ("table", "counts"),
    [
        ("simscale/pdms/diffusiondrive_sim_navtest.csv", (117, 177, 357)),
        ("simscale/pdms/ltf_sim_navtest.csv", None),
        ("navsim_audit/pdm_closed_stock_reactive.csv.gz", (4, 1725, 2)),
        ("navsim_audit/human_replay_stock_nonreactive.csv.gz", None),
    ],
)
def test_real_tables_against_a_loop_over_their_rows(table, counts, tmp_path, capsys):
    path = shared_data("data", *table.split("/"))
    base = shared_data("data", "worldengine_splits", "navtest.yaml")
    report = extract_rare_cases(path, base, tmp_path, Thresholds((1.0,)))
    found = {rule["name"]: rule["tokens"] for rule in report["rules"]}
    with capsys.disabled():
        print(f"\nrare splits of navtest by {path.name}: {found}")
    read = read_score_table(path)
    rows = list(zip(read.tokens, *(read.columns[name].tolist() for name in REQUIRED), strict=True))
    clean = sorted(ep for _, nc, dac, ep in rows if nc == 1 and dac == 1 and ep > 0)
    place = 0.01 * (len(clean) - 1)
    low = int(place)
    cut = clean[low] + (place - low) * (clean[low + 1] - clean[low])
    expected = {
        "ep_1pct": [t for t, nc, dac, ep in rows if nc == 1 and dac == 1 and 0 < ep < cut],
        "collision": [t for t, nc, _, _ in rows if nc == 0],
        "off_road": [t for t, _, dac, _ in rows if dac == 0],
    }
    for name, wanted in expected.items():
        assert tokens_of(tmp_path / f"navtest_{name}.yaml") == wanted
    assert np.isclose(report["rules"][0]["cut"], cut, atol=1e-12)
    if counts is not None:
        assert tuple(found.values()) == counts
