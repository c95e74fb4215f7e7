"""What the built-in splits contain: which event each index shows, and how hard it is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from simengine.world.events import COMMON_EVENTS, RARE_EVENTS

# Shares of common driving: an event is repeated as often as it should come up in a round.
COMMON_ROUND = (
    "free_drive",
    "following",
    "bend",
    "green_crossing",
    "stop_at_red",
    "turn_left",
    "merging",
    "green_start",
    "turn_right",
    "crosswalk",
    "circle",
    "arterial_drive",
    "stop_and_go",
    "following",
    "highway_drive",
    "narrow_street",
    "bend",
    "left_with_gap",
    "ramp_merging",
    "stop_at_red",
    "work_zone",
    "grid_drive",
    "crosswalk",
    "leaving_highway",
)
DEMO_EVENTS = (
    "free_drive",
    "hard_brake",
    "turn_left",
    "stop_at_red",
    "cut_in",
    "bend",
    "following",
    "pedestrian_dart",
    "green_start",
    "merging",
    "stalled_vehicle",
    "turn_right",
    "crosswalk",
    "red_light_runner",
    "green_crossing",
    "cyclist_swerve",
)


@dataclass(frozen=True)
class Recipe:
    """What one scenario should be.

    Attributes:
        event: key of `COMMON_EVENTS` or `RARE_EVENTS`.
        rare: which of the two.
        seed: names all its randomness.
        difficulty: 0 to 1.
        perturbed: whether the ego starts off its lane and speed.
    """

    event: str
    rare: bool
    seed: str
    difficulty: float
    perturbed: bool


@dataclass(frozen=True)
class BuiltinSplit:
    """A split of the built-in world.

    Attributes:
        name: of the split; it is part of every seed, so splits never share scenarios.
        size: number of scenarios, by default where it is open-ended.
        kind: `common`, `rare` or `demo`.
        perturbed_share: share of common scenarios that start perturbed.
    """

    name: str
    size: int
    kind: str
    perturbed_share: float = 0.0

    @property
    def open_ended(self) -> bool:
        """Whether it has a scenario for every index, beyond its default size, too."""
        return self.kind != "demo"

    def recipe(self, index: int) -> Recipe:
        """Return what scenario `index` should be."""
        seed = f"{self.name}/{index}"
        dice = [byte / 256.0 for byte in hashlib.sha256(seed.encode()).digest()]
        if self.kind == "demo":
            event = DEMO_EVENTS[index]
        elif self.kind == "rare":
            event = tuple(RARE_EVENTS)[index % len(RARE_EVENTS)]
        else:
            event = COMMON_ROUND[index % len(COMMON_ROUND)]
        rare = event in RARE_EVENTS
        perturbed = not rare and dice[1] < self.perturbed_share and event != "green_start"
        return Recipe(event, rare, seed, dice[0], perturbed)


BUILTIN_SPLITS: dict[str, BuiltinSplit] = {
    split.name: split
    for split in (
        BuiltinSplit("demo", len(DEMO_EVENTS), "demo"),
        BuiltinSplit("common_train", 2000, "common", perturbed_share=0.45),
        BuiltinSplit("common_test", 200, "common"),
        BuiltinSplit("rare_train", 1000, "rare"),
        BuiltinSplit("rare_test", 200, "rare"),
    )
}

assert set(COMMON_ROUND) == set(COMMON_EVENTS), "every common event comes up"
