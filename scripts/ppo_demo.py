#!/usr/bin/env python
"""PPO of Stable-Baselines3 learns to drive the built-in demo split from state observations.

    pip install 'simengine[gym]' stable-baselines3
    python scripts/ppo_demo.py --output experiments/ppo_demo

Prints the learning curve and writes it, with the policy and the scenarios, to the output folder.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env

import simengine.gym
from simengine.world.splits import write_split

SPLIT = "demo"
SETTINGS = {
    "observation": "state",
    "action": "control",
    "traffic": "NR",
    "reward": {"progress": 2.0, "collision": 2.0, "off_road": 2.0},
}


def evaluate(model: PPO, env: gymnasium.Env) -> dict[str, float]:
    """Return the means over every scenario of the split, driven once without exploration."""
    returns, finals = [], []
    for token in env.unwrapped.tokens:
        seen, _ = env.reset(options={"token": token})
        total, done = 0.0, False
        while not done:
            action, _ = model.predict(seen, deterministic=True)
            seen, reward, terminated, truncated, info = env.step(action)
            total, done = total + float(reward), terminated or truncated
        returns.append(total)
        finals.append(info)
    names = ("no_at_fault_collisions", "drivable_area_compliance", "ego_progress")
    return {
        "return": round(float(np.mean(returns)), 3),
        "success": round(float(np.mean([final["is_success"] for final in finals])), 3),
        "score": round(float(np.nanmean([final["score"] for final in finals])), 3),
        **{
            name: round(float(np.nanmean([final["sub_scores"][name] for final in finals])), 3)
            for name in names
        },
    }


class Curve(BaseCallback):
    """Evaluates every so many steps and keeps the numbers."""

    def __init__(self, env: gymnasium.Env, every: int) -> None:
        super().__init__()
        self.rows: list[dict[str, float]] = []
        self._env, self._every, self._next, self._start = env, every, 0, time.monotonic()

    def _on_rollout_start(self) -> None:
        if self.num_timesteps >= self._next:
            self.look()
            self._next += self._every

    def _on_step(self) -> bool:
        return True

    def look(self) -> None:
        """Evaluate now."""
        row = {"steps": self.num_timesteps, "seconds": round(time.monotonic() - self._start, 1)}
        self.rows.append(row | evaluate(self.model, self._env))
        print("  ".join(f"{name} {value:.6g}" for name, value in self.rows[-1].items()))  # noqa: T201


def settings_in(folder: Path) -> dict[str, object]:
    """Return the settings of all environments; the scenarios are generated once, as files below `folder`."""
    name = f"{SPLIT}_files"  # not the name of a built-in split, which every environment would generate anew
    if not (folder / name / "index.json").exists():
        write_split(SPLIT, folder / name)
    return {**SETTINGS, "split": name, "scenario_root": str(folder)}


def train(
    settings: dict[str, object], steps: int, envs: int, seed: int, every: int
) -> tuple[PPO, list[dict[str, float]]]:
    """Return the trained policy and its learning curve."""
    torch.set_num_threads(1)
    workers = make_vec_env(simengine.gym.ENV_ID, n_envs=envs, seed=seed, env_kwargs=settings)
    model = PPO(
        "MlpPolicy",
        workers,
        n_steps=max(2048 // envs, 1),
        batch_size=256,
        n_epochs=10,
        learning_rate=lambda left: 7e-4 * left,
        gamma=0.99,
        target_kl=0.02,
        gae_lambda=0.95,
        policy_kwargs={"net_arch": [128, 128], "log_std_init": -1.0},
        seed=seed,
        device="cpu",
    )
    curve = Curve(gymnasium.make(simengine.gym.ENV_ID, **settings), every)
    model.learn(steps, callback=curve)
    curve.look()
    return model, curve.rows


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=80_000, help="decisions to train on")
    parser.add_argument("--envs", type=int, default=8, help="environments in this process")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=8_000, help="decisions between two evaluations")
    parser.add_argument("--output", type=Path, default=Path("experiments/ppo_demo"))
    arguments = parser.parse_args()
    folder = arguments.output
    settings = settings_in(folder / "scenarios")
    model, rows = train(settings, arguments.steps, arguments.envs, arguments.seed, arguments.every)
    (folder / "curve.json").write_text(json.dumps(rows, indent=1))
    model.save(folder / "policy.zip")


if __name__ == "__main__":
    main()
