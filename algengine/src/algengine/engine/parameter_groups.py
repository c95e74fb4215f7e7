"""Parameter groups of an optimiser: one for each set of options, not one for each parameter."""

from __future__ import annotations

from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from algengine.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GroupedOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Builds the wrapper that MMEngine's own constructor builds, with parameters of equal options in one group.

    An optimiser steps group by group; with a group for each of some hundred parameters a GPU mostly waits for launches.
    """

    def add_params(
        self,
        params: list[dict],
        module: nn.Module,
        prefix: str = "",
        is_dcn_module: bool | None = None,
    ) -> None:
        """Add the groups of a module's parameters to `params`."""
        super().add_params(params, module, prefix, is_dcn_module)
        if not prefix:
            # The whole model: its parts have been added by calls with a prefix.
            params[:] = merge_groups(params)


def merge_groups(groups: list[dict]) -> list[dict]:
    """Return groups with the parameters of all groups of equal options, in the order in which options first appear."""
    merged: dict[tuple, dict] = {}
    for group in groups:
        options = {key: value for key, value in group.items() if key != "params"}
        found = merged.setdefault(tuple(sorted(options.items())), {"params": [], **options})
        found["params"] += group["params"]
    return list(merged.values())
