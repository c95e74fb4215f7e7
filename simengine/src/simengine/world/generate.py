"""One scenario of the built-in world, from a split name and an index and nothing else."""

from __future__ import annotations

import hashlib

import numpy as np

from simengine.errors import ConfigError
from simengine.scenario.scenario import Scenario
from simengine.world.checks import collision_free, drives_calmly, naive_hit_frame, stays_on_road
from simengine.world.common_events import COMMON_EVENTS
from simengine.world.drive import Perturbation, drive
from simengine.world.extras import add_extras
from simengine.world.rare_events import RARE_EVENTS
from simengine.world.recipe import BUILTIN_SPLITS, Recipe

MAX_ATTEMPTS = 40
# After this many tries an event is accepted without the naive driver failing in it.
STRICT_ATTEMPTS = 25
# Sooner than this after the first decision nobody could react.
EARLIEST_HIT_FRAMES = 12


def scenario_token(split: str, index: int) -> str:
    """Return the token of a built-in scenario; it depends on nothing else."""
    return f"{split}_{index:04d}"


def generate(split: str, index: int) -> Scenario:
    """Return scenario `index` of a built-in split; equal arguments give equal bytes.

    Raises:
        ConfigError: no such split, or no such index in it.
    """
    if split not in BUILTIN_SPLITS:
        raise ConfigError(f"built-in split is {split!r}, expected one of {', '.join(sorted(BUILTIN_SPLITS))}")
    definition = BUILTIN_SPLITS[split]
    if not 0 <= index < definition.size:
        raise ConfigError(
            f"index {index} is not in built-in split {split}, expected 0..{definition.size - 1}"
        )
    recipe = definition.recipe(index)
    for attempt in range(MAX_ATTEMPTS):
        scenario = attempt_scenario(recipe, scenario_token(split, index), attempt)
        if scenario is not None:
            return scenario
    raise AssertionError(
        f"no admissible {recipe.event} scenario for {split} {index} in {MAX_ATTEMPTS} attempts"
    )


def attempt_scenario(recipe: Recipe, token: str, attempt: int) -> Scenario | None:
    """Return the scenario of sub-seed `attempt`, or None if it is not admissible."""
    digest = hashlib.sha256(f"{recipe.seed}/{attempt}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    events = RARE_EVENTS if recipe.rare else COMMON_EVENTS
    # What the expert cannot survive is made a little easier each time.
    difficulty = recipe.difficulty * (1.0 - attempt / MAX_ATTEMPTS)
    stage = events[recipe.event](rng, difficulty)
    add_extras(stage, float(rng.uniform(0.25, 0.9)))
    tags = {
        "source": "builtin",
        "family": stage.place.family,
        "event": recipe.event,
        "rare": recipe.rare,
        "seed": recipe.seed,
        "attempt": attempt,
        "difficulty": round(difficulty, 3),
        "perturbed": recipe.perturbed,
        "scripted": [
            f"{actor.kind.name.lower()}_{i}" for i, actor in enumerate(stage.actors) if actor.hidden_until > 0
        ],
        **stage.place.facts,
        **stage.facts,
    }
    scenario = drive(stage, token, tags, _perturbation(recipe, rng))
    calm = stays_on_road(scenario) and drives_calmly(scenario, stage.line)
    if not (calm and collision_free(scenario)):
        return None
    if recipe.rare:
        hit = naive_hit_frame(scenario, stage.line)
        due = hit is not None and hit >= EARLIEST_HIT_FRAMES
        if not due and attempt < STRICT_ATTEMPTS:
            return None
        scenario.tags["naive_hit_s"] = None if hit is None else round(hit * scenario.dt, 1)
    return scenario


def _perturbation(recipe: Recipe, rng: np.random.Generator) -> Perturbation:
    if not recipe.perturbed:
        return Perturbation()
    return Perturbation(
        float(rng.uniform(-0.8, 0.8)), float(np.radians(rng.uniform(-8.0, 8.0))), float(rng.uniform(0.7, 1.3))
    )
