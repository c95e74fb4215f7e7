import json
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from alg_factories import make_log, make_observation
from algengine.cli.main import main
from algengine.engine.configs import config_folders, load_config
from algengine.engine.weights import load_checkpoint
from algengine.errors import CheckpointError
from algengine.post_training.adapt import AdapterConfig
from algengine.post_training.base import load_base, make_student
from algengine.post_training.config import (
    CacheConfig,
    PostTrainingConfig,
    ScheduleConfig,
    load_recipe,
    read_config,
)
from algengine.post_training.export import export_student
from algengine.post_training.load import load_post_trained
from algengine.post_training.objective import ExpectationObjective
from algengine.post_training.published import PublishedObjective
from algengine.post_training.recipe import DataConfig
from algengine.post_training.schedule import learning_rate
from algengine.post_training.train import post_train
from post_training_factories import make_base, write_run
from published_factories import build_small, small_config, small_state
from simengine.errors import ConfigError

pytestmark = pytest.mark.mm
LOGS = [make_log(f"log_{i}", 4.0 + i, 0.01 * i, decisions=4) for i in range(3)]


class KilledError(Exception):
    """Stands for a lost process."""


@pytest.fixture(scope="module")
def base():
    return make_base()


@pytest.fixture(scope="module")
def config(base, tmp_path_factory) -> PostTrainingConfig:
    folder = tmp_path_factory.mktemp("data")
    plans = base.vocabulary.plans.astype(np.float32)
    # Plan 3 is the good one, everywhere.
    run = write_run(folder / "run", plans, LOGS, 11, lambda *_: np.where(np.arange(12) == 3, 1.0, 0.1))
    return PostTrainingConfig(
        DataConfig(common=[str(run)], rollouts=[str(run)]),
        adapters=AdapterConfig(rank=2, alpha=2.0),
        schedule=ScheduleConfig(steps=12, batch_size=6, lr=0.02, warmup=2, save_every=4, log_every=1),
        cache=CacheConfig(str(folder / "features")),
    )


@pytest.fixture(scope="module")
def trained(config, base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    longer = replace(config, schedule=replace(config.schedule, steps=40))
    return post_train(longer, base, folder)


def state_of(path) -> dict:
    return load_checkpoint(path)["state_dict"]


def test_rewards_are_learned_and_the_run_is_told(trained):
    summary = json.loads((trained.parent / "summary.json").read_text())
    assert summary["decisions"] == {"normal": 12, "real_failure": 0, "synthetic": 12}
    assert summary["before"]["all"]["expected"] < 0.3
    assert summary["after"]["all"]["expected"] > 0.6
    assert summary["after"]["synthetic"]["chosen"] == pytest.approx(1.0)
    first = summary["log"][0]
    # At the first update both policies are one.
    assert first["kl"] == pytest.approx(0.0, abs=1e-6)
    assert first["importance"] == pytest.approx(1.0, abs=1e-5)
    assert first["importance_driven"] == pytest.approx(1.0, abs=1e-5)
    assert summary["log"][-1]["importance_driven"] < 0.5  # plan 11 was driven and is bad
    assert first["reward"] == pytest.approx(first["reward_reference"], abs=1e-6)


def test_killed_and_resumed_ends_with_the_same_weights_bit_by_bit(config, base, tmp_path):
    whole = post_train(config, base, tmp_path / "whole")
    seen = []

    def kill(what, done, _total, _values):
        seen.append((what, done))
        if (what, done) == ("training", 7) and seen.count(("training", 7)) == 1:
            raise KilledError

    with pytest.raises(KilledError):
        post_train(config, base, tmp_path / "resumed", progress=kill)
    torch.manual_seed(12345)  # whatever the new process starts with
    resumed = post_train(config, base, tmp_path / "resumed", progress=kill)
    assert seen.count(("training", 5)) == 2  # saved after 4 updates, so 5 to 7 were made again
    assert seen.count(("training", 4)) == 1
    ours, theirs = state_of(resumed), state_of(whole)
    assert set(ours) == set(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert (tmp_path / "resumed" / "summary.json").read_text() == (
        tmp_path / "whole" / "summary.json"
    ).read_text()


DIES = """
import builtins, os, signal, sys
from algengine.cli.main import main
say = print
def say_and_die(*words, **options):
    say(*words, **options)
    if str(words[0]).startswith(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
builtins.print = say_and_die
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.slow
def test_a_killed_process_is_resumed(config, base, tmp_path):
    weights = export_student(
        base.build(), base.model, base.state_dict, base.metadata | {"cameras": base.cameras}, tmp_path
    )
    recipe = tmp_path / "recipe.py"
    recipe.write_text(
        f"data = dict(rollouts={list(config.data.rollouts)}, normal_ratio=0.0)\n"
        f"cache = dict(root={config.cache.root!r})\n"
        "schedule = dict(steps=30, batch_size=4, lr=0.01, save_every=3, log_every=1)\n"
    )

    def run(name, *dies_at):
        command = [sys.executable, "-c", DIES, *dies_at, "post-train", recipe, "--checkpoint", weights]
        command += ["--device", "cpu", "--work-dir", tmp_path / name]
        words = [str(word) for word in command]
        return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)

    assert run("killed", "training 10/").returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "weights.pth").exists()
    resumed = run("killed", "never")
    assert "training 10/" in resumed.stdout and "training 9/" not in resumed.stdout
    assert run("whole", "never").returncode == resumed.returncode == 0
    ours, theirs = (state_of(tmp_path / name / "weights.pth") for name in ("killed", "whole"))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_work_dir_belongs_to_one_run(config, base, tmp_path):
    short = replace(config, schedule=replace(config.schedule, steps=2))
    post_train(short, base, tmp_path)
    other = replace(short, objective=ExpectationObjective(kl_weight=0.2))
    with pytest.raises(CheckpointError, match="another config, data or base planner"):
        post_train(other, base, tmp_path)


def test_a_place_that_cannot_be_written_is_found_before_the_work(config, base, tmp_path):
    (tmp_path / "file").touch()
    told = []
    with pytest.raises(ConfigError, match=r"work dir .*file/work cannot be made .*give another --work-dir"):
        post_train(config, base, tmp_path / "file" / "work", progress=lambda *words: told.append(words))
    assert told == []


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 and no more"])
def test_a_damaged_state_says_which_file_to_delete(config, base, tmp_path, content):
    (tmp_path / "state.pth").write_bytes(content)
    with pytest.raises(
        CheckpointError, match=r"state\.pth is no saved state of a run.* or delete it"
    ) as caught:
        post_train(config, base, tmp_path)
    assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "state.pth"}


def test_a_published_checkpoint_may_be_the_base(tmp_path):
    config = {
        "model": small_config(compat=True),
        "train_dataloader": {"dataset": {"cameras": ["CAM_F0", "CAM_L0"]}},
    }
    (tmp_path / "config.py").write_text("".join(f"{key} = {value!r}\n" for key, value in config.items()))
    torch.save({"state_dict": small_state(), "meta": {"epoch": 8}}, tmp_path / "epoch_8.pth")
    base = load_base(tmp_path / "epoch_8.pth", str(tmp_path / "config.py"))
    assert base.cameras == ("CAM_F0", "CAM_L0")
    assert base.vocabulary.size == 5
    expected = build_small(compat=True)
    expected.load_state_dict(small_state())
    built = base.build().state_dict()
    assert built.keys() == expected.state_dict().keys()
    assert all(torch.equal(built[name], value) for name, value in expected.state_dict().items())
    torch.save({"state_dict": {"head.vocabulary": torch.zeros(5, 40, 3)}}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="do not fit the model of the config"):
        load_base(tmp_path / "other.pth", str(tmp_path / "config.py"))


def test_exported_weights_serve_with_merged_adapters(trained, base, monkeypatch):
    student, _ = make_student(base, {}, 0)
    monkeypatch.chdir(trained.parent.parent)
    planner = load_post_trained(str(trained.parent))
    assert load_post_trained(str(trained)).weights_hash == planner.weights_hash
    plan = planner.plan_batch([make_observation(LOGS[0], 0)])[0]
    assert plan.vocabulary_index == 3
    merged, before = state_of(trained), student.state_dict()
    changed = {name for name in merged if not torch.equal(merged[name].float(), before[name].float())}
    assert changed
    assert all(name.startswith("head.") and name.endswith("weight") for name in changed)
    adapters = load_checkpoint(trained.parent / "lora.pth")["state_dict"]
    assert adapters["planning_head.heads_lora.lora_imi.lora_4.B.weight"].shape == (1, 2)
    # The state holds the same adapters unmerged: weight + alpha / r * B A.
    state = state_of(trained.parent / "state.pth")
    name = "head.imitation.0"
    delta = state[f"{name}.lora.B"][0] @ state[f"{name}.lora.A"][0]
    assert torch.allclose(merged[f"{name}.weight"], before[f"{name}.weight"] + delta, atol=1e-6)


def test_post_trained_weights_can_be_post_trained_again(trained, tmp_path):
    again = load_base(trained)
    student, model = make_student(again, {}, 0)
    path = export_student(student, model, again.state_dict, again.metadata, tmp_path)
    assert all(
        torch.equal(state_of(path)[n].float(), v)
        for n, v in again.state_dict.items()
        if v.is_floating_point()
    )


def test_published_objective_with_new_heads_and_supervised(config, base, tmp_path):
    short = replace(config, schedule=replace(config.schedule, steps=3, by_epoch=True))
    rl = replace(
        short,
        objective=PublishedObjective(),
        adapters=AdapterConfig(rank=2, trainable=("head.sub_scores.*",)),
        model={"head": {"sub_scores": True}},
    )
    weights = post_train(rl, base, tmp_path / "rl")
    log = json.loads((tmp_path / "rl" / "summary.json").read_text())["log"]
    assert {"loss_imitation", "loss_pg", "loss_entropy", "loss_rank", "loss_comfort"} <= set(log[0])
    load_post_trained(str(weights)).plan_batch([make_observation(LOGS[0], 0)])
    post_train(replace(short, objective=PublishedObjective(rl=False)), base, tmp_path / "il")
    log = json.loads((tmp_path / "il" / "summary.json").read_text())["log"]
    assert "loss_pg" not in log[0]
    with pytest.raises(CheckpointError, match="do not fit the changed model"):
        make_student(base, {"head": {"num_layers": 2}}, 0)


def test_learning_rate_by_hand():
    # Rates of the original for 8 epochs without warm-up (reference: algengine.md 2.8).
    config = ScheduleConfig(warmup=0, by_epoch=True)
    rates = [learning_rate(config, 10 * epoch, 10) for epoch in range(8)]
    expected = [2.0e-4, 1.92e-4, 1.71e-4, 1.38e-4, 1.00e-4, 6.2e-5, 2.9e-5, 7.8e-6]
    assert rates == pytest.approx(expected, rel=0.02)
    assert learning_rate(config, 9, 10) == rates[0]
    warm = ScheduleConfig(warmup=500, by_epoch=True)
    assert learning_rate(warm, 0, 1000) == pytest.approx(2e-4 / 3)
    assert learning_rate(warm, 250, 1000) == pytest.approx(2e-4 * 2 / 3)
    assert learning_rate(ScheduleConfig(steps=100, warmup=0), 50, 10) == pytest.approx(2e-4 / 2, rel=0.01)


RECIPES = sorted(p.stem for f in config_folders() for p in (f / "post_training").glob("e2e_*.py"))


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_read(name):
    config = read_config(load_config(f"post_training/{name}"))
    published = name.endswith("published") or "ilft" in name
    assert isinstance(config.objective, PublishedObjective) == published
    assert bool(config.data.rollouts) == ("rollout" in name or "replay" in name)
    assert config.data.normal_only == ("common_log" in name)
    assert config.data.common


def test_recipes_have_the_published_names():
    endings = (
        "ilft_rare_log",
        "rlft_common_log",
        "rlft_rare_log",
        "rlft_rare_syn_replay",
        "rlft_rare_rollout",
    )
    assert {f"e2e_vadv2_50pct_{ending}" for ending in (*endings, "rlft_rare_rollout_bwm")} <= set(RECIPES)


def test_unknown_keys_and_wrong_values_are_refused(tmp_path):
    for text, message in (
        ("data = dict(rares=[])", "data has the key 'rares'"),
        ("data = dict()\nobjective = dict(type='ppo')", r"objective\.type is 'ppo'"),
        ("objective = dict()", "no data="),
        ("data = 5", r"data is 5, expected dict"),
        ("data = dict()\nschedule = None", "schedule is None, expected dict"),
        ("data = dict(rare='run')", r"data\.rare is 'run', expected a list"),
        ("data = dict(rare=[3])", r"data\.rare is \[3\], expected a list of texts such as \['path'\]"),
        ("data = dict(filter='v3')", r"data\.filter is 'v3', expected one of v1"),
        ("data = dict(seed=-1)", r"data\.seed is -1, expected at least 0"),
        ("data = dict()\nschedule = dict(batch_size=0)", r"schedule\.batch_size is 0, expected at least 1"),
        (
            "data = dict()\nschedule = dict(batch_size=True)",
            r"schedule\.batch_size is True, expected a whole number",
        ),
        ("data = dict()\nschedule = dict(lr='fast')", r"schedule\.lr is 'fast', expected a number"),
        ("data = dict()\nschedule = dict(lr=-1)", r"schedule\.lr is -1, expected a number above 0"),
        (
            "data = dict()\nschedule = dict(clip=float('nan'))",
            r"schedule\.clip is nan, expected a number above 0",
        ),
        ("data = dict()\nschedule = dict(epochs=0)", "expected one of them above 0"),
        ("data = dict()\nschedule = dict(autocast='fp8')", r"schedule\.autocast is 'fp8'"),
        ("data = dict()\nschedule = dict(least_lr=5)", r"schedule\.least_lr is 5, expected 0 to 1"),
        ("data = dict()\nadapters = dict(rank=-1)", r"adapters\.rank is -1, expected at least 0"),
        ("data = dict()\nadapters = dict(alpha=0)", r"adapters\.alpha is 0, expected a number above 0"),
        ("data = dict()\nadapters = dict(rules=[3])", r"adapters\.rules has 3, expected dict\(pattern="),
        (
            "data = dict()\nadapters = dict(rules=[dict(parts=3)])",
            r"adapters\.rules has \{'parts': 3\}, expected",
        ),
        (
            "data = dict()\nadapters = dict(rules=[dict(pattern='head.*', dropout=1)])",
            r"dropout 1 and parts 1, expected a dropout of 0 or more and less than 1",
        ),
        (
            "data = dict()\nobjective = dict(reward='scores')",
            r"objective\.reward is 'scores', expected one of",
        ),
        ("data = dict()\nobjective = dict(samples=0)", r"objective\.samples is 0, expected at least 1"),
        ("data = dict()\nobjective = dict(kl_weight=-1)", r"objective\.kl_weight is -1, expected at least 0"),
        (
            "data = dict()\nobjective = dict(max_importance=0)",
            r"objective\.max_importance is 0, expected a number above 0",
        ),
        (
            "data = dict()\nobjective = dict(type='published', label_smoothing=2)",
            r"objective\.label_smoothing is 2, expected 0 to 1",
        ),
        (
            "data = dict()\nobjective = dict(type='published', pg_weight=float('nan'))",
            r"objective\.pg_weight is nan, expected at least 0",
        ),
    ):
        path = tmp_path / "recipe.py"
        path.write_text(text + "\n")
        with pytest.raises(ConfigError, match=message):
            read_config(load_config(str(path)))


SHIPPED = "post_training/e2e_vadv2_50pct_rlft_rare_log"


def test_every_key_of_a_recipe_can_be_overridden(tmp_path):
    path = tmp_path / "recipe.py"
    path.write_text("data = dict(rare=['run'])\n")
    plain = read_config(load_config(str(path)))
    for section in ("data", "objective", "adapters", "schedule", "cache"):
        for name, value in vars(getattr(plain, section)).items():
            if section == "adapters" and name == "rules":
                continue  # rules are written as dicts
            text = value if isinstance(value, str) else repr(value)
            assert load_recipe(str(path), [f"{section}.{name}={text}"]) == plain
    options = [
        "schedule.clip=1.5",
        "adapters.trainable=['head.imitation.*']",
        "adapters.rules=[{'pattern': 'head.status.*'}]",
        "objective.max_importance=3",
        "model.head.sub_scores=True",
    ]
    changed = load_recipe(SHIPPED, options)
    assert (changed.schedule.clip, changed.schedule.lr) == (1.5, 1e-3)
    assert changed.adapters.trainable == ("head.imitation.*",)
    assert [rule.pattern for rule in changed.adapters.rules] == ["head.status.*"]
    assert changed.objective.max_importance == 3
    assert changed.model == {"head": {"sub_scores": True}}


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            "schedule.clips=1",
            r"schedule has the key 'clips', expected some of autocast, batch_size, .*, clip, ",
        ),
        ("adapters.train=1", r"adapters has the key 'train', expected some of alpha, rank, rules, trainable"),
        (
            "schedules.clip=1",
            r"'schedules.clip=1' does not fit .*, expected key=value with one of data, objective, ",
        ),
        ("rare=1", r"the option 'rare=1' does not fit"),  # already read when options come
        ("schedule.clip", r"the option 'schedule.clip' does not fit"),
        ("schedule.steps.more=1", r"the option 'schedule.steps.more=1' does not fit"),
        ("data.rare.more=1", r"the option 'data.rare.more=1' does not fit"),
        ("data.rare.0='run'", r"the option .* does not fit"),
        ("schedule.clip=wide", r"schedule\.clip is 'wide', expected a number"),
    ],
)
def test_other_overrides_are_refused_in_one_sentence(option, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_recipe(SHIPPED, [option])
    assert "\n" not in str(caught.value)


def test_a_key_that_the_planner_does_not_have_is_refused(base):
    with pytest.raises(ConfigError, match=r"unexpected keyword argument 'sub_score'"):
        make_student(base, {"head": {"sub_score": True}}, 0)


def test_a_size_that_the_weights_do_not_have_is_refused(base):
    with pytest.raises(
        CheckpointError, match=r"do not fit the changed model \(head\.vocabulary has another shape"
    ):
        make_student(base, {"head": {"vocabulary_size": 3}}, 0)


def test_command_trains_and_writes_a_vocabulary(config, base, tmp_path, capsys):
    weights = export_student(
        base.build(), base.model, base.state_dict, base.metadata | {"cameras": base.cameras}, tmp_path
    )
    assert (
        main(["post-train", "--checkpoint", str(weights), "--vocabulary", str(tmp_path / "plans.npy")]) == 0
    )
    assert np.array_equal(np.load(tmp_path / "plans.npy"), base.state_dict["head.vocabulary"].numpy())
    recipe = tmp_path / "recipe.py"
    recipe.write_text(
        f"data = dict(rollouts={list(config.data.rollouts)}, filter='v2', normal_ratio=0.0)\n"
        f"cache = dict(root={config.cache.root!r})\nschedule = dict(steps=5, batch_size=3)\n"
    )
    arguments = ["post-train", str(recipe), "--checkpoint", str(weights), "--work-dir", str(tmp_path / "out")]
    assert main([*arguments, "--device", "cpu", "--cfg-options", "schedule.steps=2"]) == 0
    printed = capsys.readouterr().out
    assert "training 2/2" in printed
    assert "parameters learned" in printed
    assert (tmp_path / "out" / "weights.pth").is_file()
    assert main(["post-train", "--checkpoint", str(weights)]) == 1
    assert "there is no config" in capsys.readouterr().err


@pytest.mark.gpu
@pytest.mark.parametrize("autocast", ["", "bfloat16"])
def test_a_gpu_learns_as_the_processor_does(config, base, trained, tmp_path, autocast):
    schedule = replace(config.schedule, steps=40, autocast=autocast)
    weights = post_train(replace(config, schedule=schedule), base, tmp_path, "cuda")
    ours, theirs = (
        json.loads((p.parent / "summary.json").read_text())["after"]["all"] for p in (weights, trained)
    )
    assert ours["chosen"] == pytest.approx(theirs["chosen"], abs=0.05)
    assert load_post_trained(str(weights)).plan_batch([make_observation(LOGS[0], 0)])[0].vocabulary_index == 3
