"""Joins clips into a batch in the loader's workers, images still as bytes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from algengine.registry import FUNCTIONS


@FUNCTIONS.register_module()
def planning_collate(samples: Sequence[dict]) -> dict:
    """Return `inputs` stacked along a new first axis and `data_samples` as a list."""
    keys = samples[0]["inputs"]
    return {
        "inputs": {key: torch.stack([sample["inputs"][key] for sample in samples]) for key in keys},
        "data_samples": [sample["data_samples"] for sample in samples],
    }
