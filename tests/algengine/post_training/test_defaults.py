"""There is one "ours": recipes, on-policy training, the table and their commands agree on what nobody chose."""

import argparse
from dataclasses import replace
from pathlib import Path

import pytest

from algengine.cli import on_policy, table
from algengine.on_policy.train import OnPolicyConfig
from algengine.post_training.config import load_recipe
from algengine.post_training.objective import ExpectationObjective
from algengine.table.options import TableOptions

pytestmark = pytest.mark.mm
RECIPE = load_recipe("post_training/e2e_vadv2_50pct_rlft_rare_rollout")


def parsed(command, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(words)


def test_recipes_have_the_default_objective_and_imitate_a_little():
    assert RECIPE.objective == ExpectationObjective(imitation_weight=0.1)


def test_on_policy_training_has_what_recipes_have_but_imitation_and_batches():
    ours = OnPolicyConfig()
    assert ours.objective == replace(RECIPE.objective, imitation_weight=0.0)
    assert ours.adapters == RECIPE.adapters
    schedule = RECIPE.schedule
    assert (ours.lr, ours.clip) == (schedule.lr, schedule.clip)


def test_the_command_on_policy_has_the_defaults_of_its_config():
    assert on_policy.read_options(parsed(on_policy)) == OnPolicyConfig()
    other = on_policy.read_options(parsed(on_policy, "--kl-weight", "0.3", "--passes", "5"))
    assert other == OnPolicyConfig(objective=ExpectationObjective(kl_weight=0.3), passes=5)


def test_the_table_trains_as_the_recipes_say():
    options, schedule = TableOptions(Path("weights.pth")), RECIPE.schedule
    assert (options.steps, options.batch_size, options.lr) == (
        schedule.steps,
        schedule.batch_size,
        schedule.lr,
    )
    assert options.rounds == OnPolicyConfig().rounds
    given = parsed(table)
    for name in ("scenarios", "test_scenarios", "seeds", "steps", "batch_size", "lr", "rounds", "variants"):
        assert getattr(given, name) == getattr(options, name)
