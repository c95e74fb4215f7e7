"""One scenario of the built-in world, from a split name and an index and nothing else."""

from __future__ import annotations

import hashlib

import numpy as np

from simengine.errors import ConfigError
from simengine.scenario.scenario import Scenario
from simengine.world.certificate import rare, solvable
from simengine.world.checks import careful
from simengine.world.draft import Perturbation, actor_id
from simengine.world.drive import drive
from simengine.world.events import COMMON_EVENTS, RARE_EVENTS
from simengine.world.events.parameters import settings
from simengine.world.extras import add_extras
from simengine.world.recipe import BUILTIN_SPLITS, BuiltinSplit, Recipe
from simengine.world.stage import Stage

# Each try is another layout; about every second one is admitted.
MAX_ATTEMPTS = 400
EASING_ATTEMPTS = 20
GOLDEN_RATIO = 0.6180339887498949
# Sooner than this after the first decision nobody could react [s].
EARLIEST_HIT = 1.2


def scenario_token(split: str, index: int) -> str:
    """Return the token of a built-in scenario; it depends on nothing else."""
    return f"{split}_{index:04d}"


def find_split(name: str) -> BuiltinSplit:
    """Return a built-in split.

    Raises:
        ConfigError: no such split.
    """
    if name not in BUILTIN_SPLITS:
        raise ConfigError(f"built-in split is {name!r}, expected one of {', '.join(sorted(BUILTIN_SPLITS))}")
    return BUILTIN_SPLITS[name]


def generate(split: str, index: int) -> Scenario:
    """Return scenario `index` of a built-in split; equal arguments give equal bytes.

    Raises:
        ConfigError: no such split, or no such index in it.
    """
    definition = find_split(split)
    if index < 0 or (not definition.open_ended and index >= definition.size):
        expected = "at least 0" if definition.open_ended else f"0..{definition.size - 1}"
        raise ConfigError(f"index {index} is not in built-in split {split}, expected {expected}")
    recipe, token = definition.recipe(index), scenario_token(split, index)
    for attempt in range(MAX_ATTEMPTS):
        scenario = attempt_scenario(recipe, token, attempt)
        if scenario is not None:
            return scenario
    raise AssertionError(f"no admissible {recipe.event} for {split} {index} in {MAX_ATTEMPTS} attempts")


def attempt_scenario(recipe: Recipe, token: str, attempt: int) -> Scenario | None:
    """Return the scenario of sub-seed `attempt`, or None if it is not admissible."""
    rng = np.random.default_rng(_sub_seed(recipe, attempt))
    event = (RARE_EVENTS if recipe.rare else COMMON_EVENTS)[recipe.event]
    difficulty = walked_difficulty(recipe.difficulty, attempt)
    stage = event.stage(rng, difficulty)
    add_extras(stage, float(rng.uniform(0.25, 0.9)))
    tags = _tags(recipe, stage, attempt, difficulty)
    if recipe.rare:
        tags["parameters"] = settings(event, difficulty)
    scenario = drive(stage, token, tags, _perturbation(recipe, rng))
    if not careful(scenario, stage.line):
        return None
    return scenario if _certify(scenario, recipe) else None


def walked_difficulty(asked: float, attempt: int) -> float:
    """Return the difficulty of a try: what cannot be survived gets easier, and then anything goes."""
    if attempt < EASING_ATTEMPTS:
        return asked * (1.0 - attempt / EASING_ATTEMPTS)
    return (attempt - EASING_ATTEMPTS) * GOLDEN_RATIO % 1.0


def _certify(scenario: Scenario, recipe: Recipe) -> bool:
    """Whether the scenario is admitted; then its tags say why."""
    certificate: dict = {}
    if recipe.rare:
        naive = rare(scenario, EARLIEST_HIT, tuple(scenario.tags["scripted"]))
        if naive is None:
            return False
        certificate["naive"] = {traffic: verdict.to_json() for traffic, verdict in naive.items()}
    expert = solvable(scenario)
    if expert is None:
        return False
    certificate["expert"] = {traffic: verdict.to_json() for traffic, verdict in expert.items()}
    scenario.tags["certificate"] = certificate
    return True


def _tags(recipe: Recipe, stage: Stage, attempt: int, difficulty: float) -> dict:
    actors = stage.actors
    return {
        "source": "builtin",
        "family": stage.place.family,
        "event": recipe.event,
        "rare": recipe.rare,
        "seed": recipe.seed,
        "attempt": attempt,
        "difficulty": round(difficulty, 3),
        "perturbed": recipe.perturbed,
        "scripted": [actor_id(actors, i) for i, actor in enumerate(actors) if actor.has_part],
        **stage.place.facts,
        **stage.facts,
    }


def _sub_seed(recipe: Recipe, attempt: int) -> int:
    digest = hashlib.sha256(f"{recipe.seed}/{attempt}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def _perturbation(recipe: Recipe, rng: np.random.Generator) -> Perturbation:
    if not recipe.perturbed:
        return Perturbation()
    return Perturbation(
        float(rng.uniform(-0.8, 0.8)), float(np.radians(rng.uniform(-8.0, 8.0))), float(rng.uniform(0.7, 1.3))
    )
