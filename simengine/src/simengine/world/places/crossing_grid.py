"""Four crossings at the corners of a block of houses."""

from __future__ import annotations

import numpy as np

from simengine.geometry import se2
from simengine.world.map_builder import MapBuilder
from simengine.world.places.junction import ARM_NAMES, CROSSWALK_OFFSET, Arm, Junction, join
from simengine.world.places.lines import straight_line
from simengine.world.places.place import Place
from simengine.world.roads import LANE_WIDTH, Road

OUTER_LENGTH = 120.0
# What leads where: corner -> the corner beyond its arm, for the two inner arms of each.
INNER = {
    "a": {"east": "b", "north": "c"},
    "b": {"west": "a", "north": "d"},
    "c": {"east": "d", "south": "a"},
    "d": {"west": "c", "south": "b"},
}
STOPS = {
    "lights": dict.fromkeys(ARM_NAMES, "stop_line"),
    "two_way": {"east": "", "west": "", "north": "stop_sign", "south": "stop_sign"},
    "all_way": dict.fromkeys(ARM_NAMES, "stop_sign"),
}
OPPOSITE = {"east": "west", "west": "east", "north": "south", "south": "north"}


def grid(rng: np.random.Generator, control: str = "lights") -> Place:
    """Return four crossings in a square; the ego enters corner `a` from the west and passes a second one.

    Args:
        rng: source of all choices.
        control: `lights`, `two_way` (stop signs for the roads that cross the ego's first) or `all_way`.
    """
    heading = rng.uniform(-np.pi, np.pi)
    lanes = int(rng.integers(1, 3))
    limit = float(rng.choice([8.9, 11.2, 13.4]))
    reach = lanes * LANE_WIDTH + float(rng.uniform(8.0, 11.0))
    span = 2.0 * reach + rng.uniform(55.0, 85.0, 2)
    builder = MapBuilder()
    corners = _corners(builder, heading, span, reach, (lanes, limit), STOPS[control])
    junctions = {name: join(builder, list(arms.values()), limit) for name, arms in corners.items()}
    route, turns = _route(rng, corners, lanes)
    return Place(
        "grid",
        builder.build(),
        builder.roads,
        route,
        0.0,
        tuple((road, CROSSWALK_OFFSET) for road in builder.roads if "_" in road),
        _controlled(corners, junctions) if control == "lights" else {},
        tuple(lane for junction in junctions.values() for lane in junction.signed),
        facts={"lanes": lanes, "speed_limit": limit, "control": control, "turns": turns},
    )


def _corners(
    builder: MapBuilder,
    heading: float,
    span: np.ndarray,
    reach: float,
    road: tuple[int, float],
    stops: dict[str, str],
) -> dict[str, dict[str, Arm]]:
    """Add all roads and return corner -> arm name -> arm, arms counter-clockwise from the east."""
    places = {"a": (0.0, 0.0), "b": (span[0], 0.0), "c": (0.0, span[1]), "d": (span[0], span[1])}
    lanes, limit = road
    inner: dict[str, Road] = {}
    corners = {}
    for corner, at in places.items():
        arms = {}
        for k, name in enumerate(ARM_NAMES):
            out = 0.5 * np.pi * k
            start = np.array(at) + reach * np.array([np.cos(out), np.sin(out)])
            beyond = INNER[corner].get(name)
            known = inner.get(f"{beyond}{corner}") if beyond else None
            if known is not None:
                arms[name] = Arm(known, False, stops[name])
                continue
            length = span[k % 2] - 2.0 * reach if beyond else OUTER_LENGTH
            local = straight_line(start, out, float(length))
            line = se2.points_to_parent(np.array([0.0, 0.0, heading]), local)
            made = builder.add_road(
                Road(f"{corner}{beyond}" if beyond else f"{corner}_{name}", line, lanes, lanes, limit)
            )
            if beyond:
                inner[made.name] = made
            else:
                builder.add_crosswalk(made, CROSSWALK_OFFSET)
            arms[name] = Arm(made, True, stops[name])
        corners[corner] = arms
    return corners


def _route(
    rng: np.random.Generator, corners: dict[str, dict[str, Arm]], lanes: int
) -> tuple[tuple[str, ...], list[str]]:
    """The ego's lanes, and its two turns in words."""
    first = str(rng.choice(["straight", "left"]))
    second = str(
        rng.choice(["straight", "left"] if first == "left" and lanes > 1 else ["straight", "left", "right"])
    )
    lane = {"left": 0, "right": lanes - 1, "straight": 0 if first == "left" else int(rng.integers(lanes))}[
        second
    ]
    middle = "east" if first == "straight" else "north"
    corner = INNER["a"][middle]
    came_from = OPPOSITE[middle]
    step = {"right": 1, "straight": 2, "left": 3}[second]
    target = ARM_NAMES[(ARM_NAMES.index(came_from) + step) % 4]
    start, between = corners["a"]["west"].inbound[lane], corners["a"][middle].outbound[lane]
    end = corners[corner][target].outbound[lane]
    return (start, f"{start}__{between}", between, f"{between}__{end}", end), [first, second]


def _controlled(
    corners: dict[str, dict[str, Arm]], junctions: dict[str, Junction]
) -> dict[str, tuple[tuple[str, np.ndarray], ...]]:
    return {
        f"{corner}.{arm}": entry
        for corner, arms in corners.items()
        for arm, entry in zip(arms, junctions[corner].entries, strict=True)
    }
