"""What a table is made of, looked at before hours of simulation instead of after them."""

from __future__ import annotations

from algengine.engine.train import choose_device
from algengine.engine.weights import load_weights
from algengine.post_training.config import load_recipe
from algengine.table.options import TableOptions
from algengine.table.rows import choose_rows


def check_inputs(options: TableOptions) -> None:
    """Read the base planner, the recipes of all rows with the further options, and the device.

    Raises:
        CheckpointError: the base planner is missing, damaged or not exported.
        ConfigError: there is no such row, option or device.
    """
    for row in choose_rows(options.rows):
        if row.config:
            load_recipe(row.config, options.train_options)
    choose_device(options.device)
    load_weights(options.checkpoint)
