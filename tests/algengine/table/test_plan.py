from dataclasses import replace

import pytest
import torch

from algengine.cli.main import main
from algengine.table.options import TableOptions
from algengine.table.plan import make_plan
from simengine.errors import ConfigError
from table_factories import write_tiny_weights


@pytest.fixture
def options(tmp_path):
    checkpoint = tmp_path / "weights.pth"
    checkpoint.write_bytes(b"weights")
    return TableOptions(checkpoint)


def labels(options) -> dict[str, str]:
    return {stage.name: stage.label for stage in make_plan(options).stages}


def changed(one, other) -> set[str]:
    return {name for name in one if one[name] != other.get(name)}


def test_every_stage_comes_after_those_it_needs(options):
    stages = make_plan(options).stages
    assert len({stage.label for stage in stages}) == len(stages)
    for place, stage in enumerate(stages):
        assert set(stage.needs) <= set(stages[:place])


def test_a_stage_reads_only_folders_of_stages_it_needs(options):
    for stage in make_plan(options).stages:
        reached, waiting = set(), list(stage.needs)
        while waiting:
            one = waiting.pop()
            reached.add(one.label)
            waiting += one.needs
        read = [word for word in stage.words if "stages/" in word or word.startswith("split=")]
        mine = {label for label in labels(options).values() if any(label in word for word in read)}
        assert mine <= reached, stage.name


def test_seven_rows_with_three_seeds_each(options):
    names = [planner.name for planner in make_plan(options).planners]
    assert len(names) == 1 + 6 * 3
    assert names[0] == "base"


def test_training_never_sees_a_test_scenario(options):
    plan = make_plan(options)
    for planner in plan.planners:
        reached, waiting = {planner.weights}, [planner.weights]
        while waiting:
            for need in waiting.pop().needs:
                reached.add(need)
                waiting.append(need)
        assert not {stage.name for stage in reached} & {"common_test", "rare_test", "test", "log_test"}


def test_an_option_changes_the_stages_that_depend_on_it(options):
    before = labels(options)
    assert changed(before, labels(replace(options, jobs=4, workers=3, device="cpu"))) == set()
    longer = changed(before, labels(replace(options, steps=5)))
    assert "rare_log_seed0" in longer
    assert "closed_loop_rare_log_seed0" in longer
    assert not longer & {"rollout", "closed_loop_base", "log_train"}
    more = changed(before, labels(replace(options, test_scenarios=5)))
    assert "closed_loop_base" in more
    assert not more & {"rollout", "failures", "variants", "full_seed2"}
    options.checkpoint.write_bytes(b"others")
    assert {"base", "rollout", "open_loop"} <= changed(before, labels(options))


def test_words_say_how_many_cores_there_are(options):
    stages = {stage.name: stage for stage in make_plan(replace(options, rows=("on_policy",))).stages}
    assert stages["common_train"].command(3)[-2:] == ["--workers", "3"]
    assert stages["common_train"].command(1)[-2:] == ["--workers", "1"]
    assert stages["on_policy_seed0"].command(3)[-2:] == ["--threads", "3"]
    assert stages["log_test"].command(3)[-2:] == ["worker=processes", "num_workers=3"]
    assert "worker=processes" not in stages["log_test"].command(1)
    assert stages["failures"].command(3) == stages["failures"].command(1)


def test_rows_that_need_no_rollouts_make_none(options):
    names = set(labels(replace(options, rows=("rare_log",))))
    assert "features_rollout" not in names
    assert not names & {"variants", "rollout_variants"}


def test_on_policy_training_is_a_row_if_asked_for(options):
    assert "on_policy_seed0" not in labels(options)
    assert not set(labels(replace(options, rows=("on_policy",)))) & {"log_train", "features_log_train"}
    plan = make_plan(replace(options, rows=("on_policy",), seeds=2))
    assert [planner.name for planner in plan.planners] == ["base", "on_policy_seed0", "on_policy_seed1"]
    words = plan.planners[1].weights.words
    assert f"{plan.failures.folder}/failures.yaml" in words
    [split] = [word.removeprefix("split=") for word in words if word.startswith("split=")]
    assert words[words.index("--common") + 1] == split  # the drives of the same split that do not fail
    assert plan.test.label not in " ".join(words)


@pytest.mark.parametrize("change", [{"seeds": 0}, {"variants": -1}, {"image_size": (320, 8)}])
def test_senseless_options_are_one_sentence(options, change):
    with pytest.raises(ConfigError, match="expected at least"):
        replace(options, **change)


@pytest.mark.mm
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rows", "nobody"], "there is no row 'nobody', expected some of base, "),
        (["--seeds", "0"], "--seeds is 0, expected at least 1"),
        (["--lr", "0"], "--lr is 0.0, expected a rate above 0"),
        (["--size", "320"], "--size is '320', expected pixels such as 320x180"),
        (["--train-options", "schedule.stepz=3"], "schedule has the key 'stepz', expected some of autocast"),
        (["--train-options", "schedules.steps=3"], "the option 'schedules.steps=3' does not fit"),
        (["--train-options", "schedule.save_every=0"], "schedule.save_every is 0, expected at least 1"),
        (["--device", "tpu"], "device is 'tpu', expected auto, cpu or cuda"),
        (["--checkpoint", "none.pth"], "there is no checkpoint at none.pth"),
        (["--checkpoint", "text.pth"], "text.pth is no checkpoint"),
        (["--checkpoint", "training.pth"], "export it with `algengine export`"),
    ],
)
def test_what_is_wrong_is_said_before_the_first_stage(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_tiny_weights(tmp_path)
    (tmp_path / "text.pth").write_text("no weights")
    torch.save({"state_dict": {}}, tmp_path / "training.pth")
    before = set(tmp_path.iterdir())
    assert main(["table", "--work-dir", "made", "--checkpoint", "weights.pth", *words]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert set(tmp_path.iterdir()) == before
