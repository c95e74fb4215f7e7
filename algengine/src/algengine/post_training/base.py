"""The planner that post-training starts from, and the student that is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from algengine.engine.configs import load_planner_config
from algengine.engine.fitting import TRAINING_ONLY
from algengine.engine.weights import FORMAT, build_planner, load_checkpoint, load_weights, require_planner
from algengine.errors import CheckpointError
from algengine.planners.vadv2 import VADv2
from simengine.errors import ConfigError
from simengine.rewards.vocabulary import Vocabulary

_NEW_HEADS = "head.sub_scores."


@dataclass(frozen=True)
class BasePlanner:
    """Weights with everything needed to build and to serve them.

    Attributes:
        model: config of the model, without training-only parts.
        state_dict: float32 tensors.
        cameras: channels in the planner's order, empty for any.
        metadata: facts about its training.
    """

    model: dict
    state_dict: dict[str, Tensor]
    cameras: tuple[str, ...]
    metadata: dict

    def build(self) -> VADv2:
        """Return the frozen planner in evaluation mode."""
        return build_planner(self.model, self.state_dict)

    @property
    def vocabulary(self) -> Vocabulary:
        """The plans that it chooses from."""
        return Vocabulary(self.state_dict["head.vocabulary"].float().numpy())


def load_base(checkpoint: Path, config: str | None = None, options: Sequence[str] = ()) -> BasePlanner:
    """Return the planner in exported weights, or in a training checkpoint with the config that it was trained with.

    A training checkpoint may be one of the original's.

    Args:
        checkpoint: the file.
        config: of a training checkpoint; exported weights carry their own.
        options: overrides that it was trained with.

    Raises:
        CheckpointError: the file is missing, corrupt, needs a config, or does not fit it.
        ConfigError: an override is of the model, but exported weights have theirs.
    """
    content = load_checkpoint(checkpoint)
    if content.get("format") == FORMAT:
        if changed := [option for option in options if option.startswith("model.")]:
            raise ConfigError(
                f"the option {changed[0]!r} would change the model, but the weights {checkpoint} carry theirs, "
                "expected options of data only: leave it out, or give a training checkpoint"
            )
        weights = load_weights(checkpoint)
        cameras = tuple(weights.metadata.get("cameras", ()))
        return BasePlanner(weights.model, weights.state_dict, cameras, weights.metadata)
    if config is None:
        raise CheckpointError(
            f"{checkpoint} is a training checkpoint, expected its config too: give --base-config"
        )
    loaded = load_planner_config(config, options)
    state = {k: v.float() if v.is_floating_point() else v for k, v in content["state_dict"].items()}
    state = {k: v for k, v in state.items() if not k.startswith(TRAINING_ONLY)}
    cameras = tuple(loaded.train_dataloader.dataset.cameras)
    facts = {"cameras": list(cameras), "config": Path(config).stem}
    model = loaded.model.to_dict() | {"bev_head": None}
    # Published names become ours in a planner.
    return BasePlanner(model, require_planner(build_planner(model, state)).state_dict(), cameras, facts)


def make_student(base: BasePlanner, changes: Mapping, seed: int) -> tuple[VADv2, dict]:
    """Return a planner with the base's weights and a changed config, and that config; new heads are drawn from `seed`.

    Raises:
        ConfigError: a changed key is none of the planner's.
        CheckpointError: the changes leave weights without a place, or need others than those of sub-score heads.
    """
    model = _merged(base.model, changes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            student = build_planner(model)
        except TypeError as error:
            raise ConfigError(
                f"model changes a key that the planner does not have ({error}), expected one of its config, such as "
                "head.sub_scores"
            ) from error
    ours, theirs = student.state_dict(), base.state_dict
    wrong = [name for name in theirs if name not in ours]
    wrong += [name for name in ours if name not in theirs and not name.startswith(_NEW_HEADS)]
    wrong += [f"{n} has another shape" for n in theirs if n in ours and ours[n].shape != theirs[n].shape]
    if wrong:
        raise CheckpointError(
            f"the base weights do not fit the changed model ({wrong[0]}), expected changes that add sub-score heads at "
            "most: see model=dict(...) in the config"
        )
    student.load_state_dict(theirs, strict=False)
    return student.eval(), model


def _merged(old: Mapping, new: Mapping) -> dict:
    merged = dict(old)
    for key, value in new.items():
        inner = old.get(key)
        merged[key] = (
            _merged(inner, value) if isinstance(value, Mapping) and isinstance(inner, Mapping) else value
        )
    return merged
