"""The rows of the table: which recipe each planner was made with."""

from __future__ import annotations

from dataclasses import dataclass

from simengine.errors import ConfigError

BASE = "base"
"""The row that all others start from and are compared with."""


@dataclass(frozen=True)
class RowRecipe:
    """One row.

    Attributes:
        name: short, for options and folders.
        label: for people.
        config: shipped recipe of `algengine post-train`; "" for the base planner and on-policy training.
        rollouts: whether it learns from the base planner's own drives.
        variants: whether it learns from drives through variants of the rare cases too.
    """

    name: str
    label: str
    config: str = ""
    rollouts: bool = False
    variants: bool = False


_PREFIX = "post_training/e2e_vadv2_50pct_"

ROWS = (
    RowRecipe(BASE, "Base model"),
    RowRecipe("supervised_rare_log", "Supervised, rare logs", _PREFIX + "ilft_rare_log"),
    RowRecipe("common_log", "Post-training, common logs", _PREFIX + "rlft_common_log"),
    RowRecipe("rare_log", "Post-training, rare logs", _PREFIX + "rlft_rare_log"),
    RowRecipe(
        "rare_replay",
        "Post-training, rare synthetic replays",
        _PREFIX + "rlft_rare_syn_replay",
        rollouts=True,
    ),
    RowRecipe("rare_rollout", "Post-training, rare rollouts", _PREFIX + "rlft_rare_rollout", rollouts=True),
    RowRecipe(
        "full",
        "Full recipe (rule-based variants)",
        _PREFIX + "rlft_rare_rollout_bwm",
        rollouts=True,
        variants=True,
    ),
)

ON_POLICY = RowRecipe("on_policy", "On-policy RL, rare cases")
"""Drives and learns in one process; not in the table unless asked for."""

COMPARED = (
    ("rare_rollout", "rare_log"),
    ("rare_rollout", "supervised_rare_log"),
    ("full", "supervised_rare_log"),
    ("full", "rare_rollout"),
)
"""Rows that are compared with each other too: whether driving beats watching, and variants beat none."""


def choose_rows(names: tuple[str, ...]) -> tuple[RowRecipe, ...]:
    """Return the rows called `names` in the order of the table, the base row always first; without names all of `ROWS`.

    Raises:
        ConfigError: there is no such row.
    """
    known = {row.name: row for row in (*ROWS, ON_POLICY)}
    wrong = [name for name in names if name not in known]
    if wrong:
        raise ConfigError(f"there is no row {wrong[0]!r}, expected some of {', '.join(known)}")
    return tuple(row for row in known.values() if row.name in (BASE, *names)) if names else ROWS
