"""Environments on hand-made scenarios."""

from __future__ import annotations

from pathlib import Path

import gymnasium

import simengine.gym
from factories import make_scenario
from simengine.scenario.io import save_scenario
from simengine.scenario.scenario import Scenario
from simengine.scenario.splits import index_entry, write_index

SPLIT = "handmade"


def write_scenarios(root: Path, *scenarios: Scenario) -> dict[str, str]:
    """Write scenarios as a split and return the settings that open it."""
    folder = root / SPLIT
    folder.mkdir(parents=True, exist_ok=True)
    entries = [
        index_entry(s, save_scenario(s, folder / f"{s.token}.npz")) for s in scenarios or (make_scenario(),)
    ]
    write_index(folder, entries)
    return {"split": SPLIT, "scenario_root": str(root)}


def make_env(root: Path, *scenarios: Scenario, **settings: object) -> gymnasium.Env:
    """Return an unwrapped environment on `scenarios`."""
    return gymnasium.make(simengine.gym.ENV_ID, **write_scenarios(root, *scenarios), **settings).unwrapped


def drive(env: gymnasium.Env, action: object, **reset: object) -> tuple[list[tuple], dict]:
    """Return all steps of an episode under one action, or a function of the observation, and its last info."""
    seen, _ = env.reset(**reset)
    steps, done = [], False
    while not done:
        steps.append(env.step(action(seen) if callable(action) else action))
        seen, _, terminated, truncated, info = steps[-1]
        done = terminated or truncated
    return steps, info
