"""The open-loop evaluation end to end, with a tiny planner of random weights."""

import csv
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from alg_factories import CAMERAS, make_vocabulary, tiny_model_config
from algengine.cli.main import main
from algengine.engine.configs import load_config
from algengine.engine.weights import build_planner
from algengine.evaluation.open_loop import Share, Work, chunked, evaluate, results
from algengine.evaluation.prediction import displacement
from algengine.evaluation.result_table import PUBLISHED_COLUMNS, summary
from algengine.evaluation.samples import Sources, evaluation_set
from algengine.evaluation.score_table import read_score_table
from algengine.evaluation.scoring import ScenarioScorer
from algengine.post_training.base import load_base
from export_factories import drive
from openscene_factories import OpenScene, dump, write_filter
from rewards_factories import busy_scenario
from simengine.errors import ConfigError
from simengine.scenario.splits import write_split
from training_factories import ALONE

TOKENS = ("token_0", "token_1", "token_2")

pytestmark = pytest.mark.mm


class World:
    """Recordings, scenarios, an OpenScene set and a planner below `root`."""

    def __init__(self, root):
        self.root = root
        drive(root / "busy" / "run", TOKENS, rewards=False)
        self.recordings = str(root / "busy" / "run" / "observations")
        self.scenarios = str(root / "scenarios")
        write_split([busy_scenario(token) for token in TOKENS], root / "scenarios")
        self.open_scene = OpenScene(root / "openscene")
        data = self.open_scene.options(image_size=(64, 36))
        self.config = str(root / "tiny.py")
        model = tiny_model_config()
        (root / "tiny.py").write_text(
            f"model = {model!r}\ntrain_dataloader = dict(dataset=dict(cameras={CAMERAS!r}))\n"
            f"val_dataloader = dict(dataset={data!r})\n"
        )
        self.vocabulary = root / "plans.npy"
        np.save(self.vocabulary, make_vocabulary())
        self.checkpoint = self.save(0)

    def save(self, seed):
        torch.manual_seed(seed)
        planner = build_planner(tiny_model_config())
        planner.head.vocabulary.copy_(torch.from_numpy(make_vocabulary()))
        for parameter in planner.parameters():
            parameter.data += 0.2 * torch.randn_like(parameter)
        path = self.root / f"weights_{seed}.pth"
        torch.save({"state_dict": planner.state_dict()}, path)
        return str(path)

    def run(self, output, *more, data=None):
        where = ["--recordings", self.recordings] if data is None else data
        words = [
            self.config,
            self.checkpoint,
            *where,
            "--output",
            str(output),
            "--device",
            "cpu",
            "--threads",
            "1",
        ]
        return main(["evaluate", *words, *map(str, more)])

    def parts(self):
        base = load_base(self.checkpoint, self.config)
        chosen = evaluation_set(load_config(self.config), base, Sources(recordings=self.recordings))
        return base.build(), chosen, ScenarioScorer(self.scenarios)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("evaluation"))


@pytest.fixture(scope="module")
def table(world):
    """The table by direct scoring, that other ways must agree with."""
    path = world.root / "direct" / "busy.csv"
    assert world.run(path, "--scenarios", world.scenarios) == 0
    return path


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_columns_and_means_are_the_published_ones(table):
    with table.open(newline="") as file:
        header = next(csv.reader(file))
    assert header[: 1 + len(PUBLISHED_COLUMNS)] == ["token", *PUBLISHED_COLUMNS]
    rows = rows_of(table)
    assert [row["token"] for row in rows] == [*TOKENS, "average"]
    for name in PUBLISHED_COLUMNS:
        cells = [float(row[name]) for row in rows]
        assert all(len(row[name].partition(".")[2]) == 4 for row in rows)
        assert cells[-1] == pytest.approx(np.mean(cells[:-1]), abs=1e-4)
    read = read_score_table(table)
    assert read.tokens == TOKENS and read.summary_rows == 1 and not read.failed.any()


def test_summary_has_intervals_and_plans_can_be_scored_again(table, world, capsys):
    content = json.loads(table.with_name("busy_summary.json").read_text())
    score = content["columns"]["score"]
    assert score["low"] <= score["mean"] <= score["high"] and score["n"] == 3
    assert content["mode"] == "navsim_v1" and content["counts"] == {"total": 3, "ok": 3, "failed": 0}
    from simengine.cli.main import main as simengine

    words = [
        "--split",
        "scenarios",
        "--scenario-root",
        str(world.root),
        "--output",
        str(world.root / "again"),
    ]
    assert simengine(["score", str(table.with_name("busy_plans.csv")), *words, "--workers", "1"]) == 0
    again = {row["token"]: row for row in rows_of(world.root / "again" / "scores.csv")}
    for row in rows_of(table)[:-1]:
        # 10 Hz plans thinned to 2 Hz are tracked a little differently.
        assert float(again[row["token"]]["score"]) == pytest.approx(float(row["score"]), abs=0.02)


def test_a_cache_gives_the_scores_that_are_computed(table, world, tmp_path):
    cache = tmp_path / "cache"
    assert main(["cache", world.scenarios, str(world.vocabulary), str(cache), "--workers", "1"]) == 0
    assert world.run(tmp_path / "cached.csv", "--cache", cache) == 0
    for ours, direct in zip(rows_of(tmp_path / "cached.csv"), rows_of(table), strict=True):
        for name in PUBLISHED_COLUMNS:
            assert float(ours[name]) == pytest.approx(float(direct[name]), abs=1e-4), name


def test_a_run_that_was_cut_off_goes_on(table, world, tmp_path):
    path = tmp_path / "busy.csv"
    assert world.run(path, "--scenarios", world.scenarios) == 0
    done = tmp_path / "busy.parts"
    for name, keep in (("predictions", 3), ("scores", 2)):
        file = done / f"{name}.0.jsonl"
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(lines[:keep]) + lines[keep][:15])
    path.unlink()
    before = (done / "predictions.0.jsonl").read_text().splitlines()[:3]
    assert world.run(path, "--scenarios", world.scenarios) == 0
    assert path.read_bytes() == table.read_bytes()
    assert (done / "predictions.0.jsonl").read_text().splitlines()[:3] == before
    assert len((done / "predictions.0.jsonl").read_text().splitlines()) == 4


def test_results_of_other_weights_are_not_mixed(world, tmp_path, capsys):
    path = tmp_path / "a.csv"
    assert world.run(path) == 0
    other = world.save(1)
    words = [
        "evaluate",
        world.config,
        other,
        "--recordings",
        world.recordings,
        "--output",
        str(path),
        "--device=cpu",
        "--threads=1",
    ]
    assert main(words) == 1
    assert "with weights" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0


def test_processes_and_chunks_change_nothing(table, world, tmp_path):
    planner, chosen, scorer = world.parts()
    whole = Work(tmp_path / "one", {})
    evaluate(planner, chosen, scorer, whole)
    shared = Work(tmp_path / "two", {}, batch_size=2, chunks=2)
    for rank in range(2):
        evaluate(planner, chosen, scorer, shared, Share(rank, 2))
    one, two = results(chosen, scorer, whole), results(chosen, scorer, shared)
    assert [row.token for row in one] == list(TOKENS)
    assert [row.chosen.plan_index for row in one] == [row.chosen.plan_index for row in two]
    assert [row.scored for row in one] == [row.scored for row in two]
    assert world.run(tmp_path / "busy.csv", "--scenarios", world.scenarios, "--chunks", 2) == 0
    assert (tmp_path / "busy.csv").read_bytes() == table.read_bytes()
    assert [r["token"] for r in rows_of(tmp_path / "busy_chunk_001_of_002.csv")] == ["token_2", "average"]


def test_chunks_are_contiguous_and_of_equal_size():
    tokens = [str(i) for i in range(23)]
    parts = chunked(tokens, 10)
    assert [len(part) for part in parts] == [3] * 7 + [2]
    assert [token for part in parts for token in part] == tokens
    assert chunked([], 3) == []
    with pytest.raises(ConfigError, match="--chunks is 0"):
        chunked(tokens, 0)


def test_what_cannot_be_scored_is_a_row(world, tmp_path, capsys):
    write_split([busy_scenario(token) for token in TOKENS[:2]], tmp_path / "fewer")
    assert world.run(tmp_path / "out.csv", "--scenarios", tmp_path / "fewer") == 1
    rows = rows_of(tmp_path / "out.csv")
    assert [row["status"] for row in rows] == ["ok", "ok", "failed", ""]
    assert rows[2]["score"] == "" and "not in the split" in rows[2]["error"]
    assert float(rows[3]["score"]) == pytest.approx(np.mean([float(r["score"]) for r in rows[:2]]), abs=1e-4)
    assert "failed token_2" in capsys.readouterr().out
    # It is tried again, and found, once the scenario is there.
    write_split([busy_scenario(token) for token in TOKENS], tmp_path / "fewer")
    assert world.run(tmp_path / "out.csv", "--scenarios", tmp_path / "fewer") == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--chunks", 0], "--chunks is 0, expected at least 1"),
        (["--threads", 0], "--threads is 0, expected at least 1"),
        (["--batch-size", -1], "--batch-size is -1, expected at least 1"),
        (["--workers", -1], "--workers is -1, expected at least 0"),
        (["--failures", "nowhere.yaml"], "nowhere.yaml cannot be read"),
        (["--cache", "nowhere"], "there is no score cache nowhere"),
        (["--cfg-options", "val_dataloader.dataset.rot=1"], "an existing key"),
    ],
)
def test_wrong_words_leave_nothing_behind(world, tmp_path, capsys, words, said):
    assert world.run(tmp_path / "out.csv", *words) == 1
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_options_reach_the_model_of_a_training_checkpoint(world, tmp_path, capsys):
    assert world.run(tmp_path / "out.csv", "--cfg-options", "model.head.vocabulary_size=7") == 1
    assert "do not fit the model" in capsys.readouterr().err
    assert main(["evaluate", "vadv2_demo", "--cfg-options", "model.head.vocabulary_size=7"]) == 1
    assert "carry theirs" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["7", "[]", "{}", "nonsense"])
def test_a_damaged_line_of_what_was_done_is_one_sentence(world, tmp_path, capsys, line):
    parts = tmp_path / "out.parts"
    parts.mkdir()
    (parts / "predictions.0.jsonl").write_text(f"{line}\n" * 2)
    assert world.run(tmp_path / "out.csv") == 1
    assert "line 1 is damaged, expected JSON: delete the file" in capsys.readouterr().err


def test_a_cache_of_other_plans_is_refused(world, tmp_path, capsys):
    other = tmp_path / "other.npy"
    np.save(other, make_vocabulary()[::-1] * np.float32(0.9))
    assert main(["cache", world.scenarios, str(other), str(tmp_path / "cache"), "--workers", "1"]) == 0
    assert world.run(tmp_path / "out.csv", "--cache", tmp_path / "cache") == 1
    assert "scores of another vocabulary" in capsys.readouterr().err
    assert world.run(tmp_path / "out.csv", "--cache", tmp_path / "cache", "--scenarios", world.scenarios) == 1
    assert "expected one of the two" in capsys.readouterr().err


def test_openscene_frames_with_the_originals_cache(world, tmp_path):
    scene = world.open_scene
    failures = write_filter(tmp_path / "failures.yaml", scene.tokens[1:3], list(scene.logs))
    assert world.run(tmp_path / "navtest.csv", "--cache", scene.pdm, "--failures", failures, data=[]) == 0
    rows = rows_of(tmp_path / "navtest.csv")[:-1]
    assert [row["token"] for row in rows] == scene.tokens
    for row in rows:
        truth = scene.scores[row["token"]]
        for name in PUBLISHED_COLUMNS[2:]:
            assert float(row[name]) == pytest.approx(float(truth[name][int(row["plan_index"])]), abs=6e-5)
        assert row["log_name"] in scene.logs and row["ade_4s"]
    failed = rows_of(tmp_path / "navtest_failures.csv")
    assert [row["token"] for row in failed] == [*scene.tokens[1:3], "average"]


def test_a_missing_image_or_token_fails_one_row_only(world, tmp_path):
    scene = OpenScene(tmp_path / "set")
    # In the queue of the first token only.
    (scene.img_root / scene.infos[2]["cams"]["CAM_F0"]["data_path"]).unlink()
    dump(scene.pdm, {token: scene.scores[token] for token in scene.tokens[:-1]})
    options = [f"val_dataloader.dataset.{key}={getattr(scene, key)}" for key in ("ann_file", "img_root")]
    words = ["--cache", scene.pdm, "--split", scene.split, "--cfg-options", *options]
    assert world.run(tmp_path / "out.csv", *words, data=[]) == 1
    rows = rows_of(tmp_path / "out.csv")[:-1]
    assert [row["status"] for row in rows] == ["failed", *["ok"] * (len(scene.tokens) - 2), "failed"]
    assert "02.jpg" in rows[0]["error"] and "not in the cache" in rows[-1]["error"]


def test_displacement_by_hand():
    driven = np.zeros((40, 3))
    driven[:, 0] = 0.8 * np.arange(1, 41)
    plan = driven.copy()
    plan[:, 1] = 0.1 * np.arange(1, 41)  # 0.5, 1.0, ... 4.0 m beside it at 2 Hz
    valid = np.ones(40, bool)
    assert displacement(plan, driven, valid) == pytest.approx((2.25, 4.0))
    valid[-1] = False
    assert np.isnan(displacement(plan, driven, valid)).all()


def test_unknown_values_count_for_no_mean(world, tmp_path):
    planner, chosen, scorer = world.parts()
    work = Work(tmp_path, {})
    evaluate(planner, chosen, scorer, work)
    rows = results(chosen, scorer, work)
    values = dict(rows[0].scored.values)
    del values["score"]
    rows[0] = replace(rows[0], scored=replace(rows[0].scored, values=values))
    found = summary(rows, {})["columns"]
    assert found["score"]["n"] == 2 and found["comfort"]["n"] == 3
    assert found["score"]["mean"] == pytest.approx(np.mean([row.number("score") for row in rows[1:]]))


def script(name, *words, **environment):
    root = Path(__file__).resolve().parents[3]
    return subprocess.run(
        ["bash", str(root / "scripts" / name), *map(str, words)],
        env={**os.environ, **ALONE, "SKIP_BOOTSTRAP": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("e2e_dist_eval.sh", ["config", "weights"], "got 2 arguments, expected CONFIG CHECKPOINT NUM_GPUS"),
        ("e2e_dist_eval.sh", ["config", "weights", "two"], "NUM_GPUS is 'two', expected a number"),
        ("e2e_dist_eval_navtest_failures.sh", ["config"], "got 1 arguments"),
        ("e2e_dist_eval_navtrain_chunked.sh", ["config", "weights", 0, "x1"], "NUM_CHUNKS is 'x1'"),
    ],
)
def test_scripts_say_what_is_wrong(name, words, said):
    done = script(name, *words)
    assert done.returncode == 1 and said in done.stderr


@pytest.mark.slow
def test_scripts_take_the_published_arguments(world, tmp_path):
    scene = world.open_scene
    places = {"SPLIT": str(scene.split), "INFOS": str(scene.ann_file), "IMAGES": str(scene.img_root)}
    words = [world.config, world.checkpoint, 0]
    done = script("e2e_dist_eval.sh", *words, "--cache", scene.pdm, "--output", tmp_path / "one.csv")
    assert done.returncode == 0, done.stderr
    two = tmp_path / "two.csv"
    more = [2, "--output", two]
    done = script(
        "e2e_dist_eval_navtrain_chunked.sh", *words, *more, **places, CACHE=str(scene.pdm), NPROC="2"
    )
    assert done.returncode == 0, done.stderr
    assert two.read_bytes() == (tmp_path / "one.csv").read_bytes()
    assert (tmp_path / "two_chunk_001_of_002.csv").is_file()
    few = write_filter(tmp_path / "few.yaml", scene.tokens[:2], list(scene.logs))
    name = "e2e_dist_eval_navtest_failures.sh"
    done = script(name, *words, "--cache", scene.pdm, "--output", tmp_path / "few.csv", SPLIT=str(few))
    assert done.returncode == 0, done.stderr
    assert [row["token"] for row in rows_of(tmp_path / "few.csv")] == [*scene.tokens[:2], "average"]
