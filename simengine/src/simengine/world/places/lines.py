"""Reference lines of roads: straight pieces and arcs, and chains of them."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from simengine.geometry import polyline
from simengine.geometry.angles import wrap
from simengine.world.map_builder import MapBuilder
from simengine.world.roads import Road

# 20, 25, 30 and 35 mph.
SPEED_LIMITS = (8.9, 11.2, 13.4, 15.6)


def unit(heading: float) -> np.ndarray:
    """Return the vector (2,) of length one along `heading` [rad]."""
    return np.array([np.cos(heading), np.sin(heading)])


def straight_line(start: np.ndarray, heading: float, length: float) -> np.ndarray:
    """Return a straight line (N, 2) with vertices about every two metres."""
    s = np.linspace(0.0, length, max(int(length / 2.0), 2) + 1)
    return start + s[:, None] * unit(heading)


def arc(start: np.ndarray, heading: float, radius: float, angle: float) -> np.ndarray:
    """Return an arc (N, 2): a left turn for positive `angle` [rad], a right turn for negative."""
    count = max(int(radius * abs(angle)), 8)
    turned = np.linspace(0.0, angle, count + 1)
    sign = np.sign(angle)
    centre = start + sign * radius * np.array([-np.sin(heading), np.cos(heading)])
    return centre + sign * radius * np.column_stack([np.sin(heading + turned), -np.cos(heading + turned)])


def chain(builder: MapBuilder, lines: list[np.ndarray], model: Road) -> list[Road]:
    """Add one road like `model` along each of `lines`, each continuing the one before, and return them."""
    joints = [polyline.headings(lines[0])[0]]
    for first, second in itertools.pairwise(lines):
        before, after = polyline.headings(first)[-1], polyline.headings(second)[0]
        joints.append(before + 0.5 * float(wrap(after - before)))
    joints.append(polyline.headings(lines[-1])[-1])
    roads = [
        builder.add_road(replace(model, name=f"{model.name}{k}", line=line, ends=(joints[k], joints[k + 1])))
        for k, line in enumerate(lines)
    ]
    for first, second in itertools.pairwise(roads):
        builder.link_roads(first, second)
    return roads


def lane_chain(roads: list[Road], lane: int) -> tuple[str, ...]:
    """Return the ids of forward lane `lane` of `roads`."""
    return tuple(f"{road.name}_f{lane}" for road in roads)
