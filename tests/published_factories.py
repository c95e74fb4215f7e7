"""The full-size config shrunk until loops can follow it, and weights with the published names for it."""

from __future__ import annotations

import numpy as np
import torch

from alg_factories import make_vocabulary
from algengine import registry
from algengine.engine.configs import load_config
from algengine.planners.vadv2 import VADv2
from original_manifest import Sizes, make_state, planner_entries

HALF = 12.0
"""Half the edge of the reduced map [m]."""

SMALL = Sizes(dims=8, width=4, grid=6, heads=2, cameras=2, plans=5, hidden=16, layers=2, decoder_layers=2)


def small_config(sizes: Sizes = SMALL, **options: object) -> dict:
    """Return the model config of `worldengine/e2e_vadv2_50pct` at `sizes`."""
    model = load_config("worldengine/e2e_vadv2_50pct").model.to_dict()
    area = {"x_range": (-HALF, HALF), "y_range": (-HALF, HALF), "cell": 2 * HALF / sizes.grid}
    model["backbone"] |= {"base_channels": sizes.width, "stem_channels": sizes.width}
    model["neck"] |= {"in_channels": [sizes.width * 8 * 2**i for i in range(3)], "out_channels": sizes.dims}
    model["bev_encoder"] |= area | {
        "dims": sizes.dims,
        "heads": sizes.heads,
        "num_layers": sizes.layers,
        "num_cameras": sizes.cameras,
    }
    model["head"] |= area | {
        "dims": sizes.dims,
        "heads": sizes.heads,
        "num_layers": sizes.decoder_layers,
        "hidden": sizes.hidden,
        "vocabulary_size": sizes.plans,
        "sub_scores": sizes.sub_scores,
    }
    return model | {"image_size": (64, 36)} | options


def build_small(sizes: Sizes = SMALL, seed: int = 0, **options: object) -> VADv2:
    """Return the reduced planner in evaluation mode with random weights."""
    torch.manual_seed(seed)
    return registry.MODELS.build(small_config(sizes, **options)).eval()


def small_state(sizes: Sizes = SMALL, seed: int = 0, **extra: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return weights with the published names and a vocabulary of arcs, some of which leave the map."""
    state = make_state(planner_entries(sizes), seed)
    state["planning_head.vocab"] = torch.from_numpy(make_vocabulary(sizes.plans))
    return state | extra


def double(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors in double precision, for the loops."""
    return {name: value.double() for name, value in state.items()}


def heading(yaw: float) -> np.ndarray:
    """Return the rotation matrix (3, 3) of a heading."""
    return np.array([[np.cos(yaw), -np.sin(yaw), 0.0], [np.sin(yaw), np.cos(yaw), 0.0], [0.0, 0.0, 1.0]])
