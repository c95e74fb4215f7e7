"""Shapes of road users and objects, made to the size of their boxes.

All shapes live in the box frame: x forward, y left, z up, origin in the middle of the bottom face.
"""

from __future__ import annotations

import zlib

import numpy as np

from simengine.datatypes.agents import AgentType
from simengine.render.lift_vehicles import car, large_vehicle
from simengine.render.scene import SplatNode, agent_node
from simengine.render.shapes import Blobs, blob, join, shell

SKIN = (0.78, 0.60, 0.49)
DARK = (0.07, 0.07, 0.08)
ORANGE = (0.96, 0.38, 0.05)
WHITE = (0.93, 0.93, 0.92)

_CLOTHES = (
    (0.75, 0.15, 0.15),
    (0.15, 0.30, 0.70),
    (0.90, 0.80, 0.25),
    (0.20, 0.50, 0.30),
    (0.85, 0.85, 0.85),
    (0.55, 0.25, 0.60),
)
_TROUSERS = ((0.12, 0.14, 0.22), (0.30, 0.27, 0.22), (0.10, 0.10, 0.11))
_LARGE_LENGTH = 6.6
_LARGE_HEIGHT = 2.6


def lift_agent(agent_id: str, kind: int, size: np.ndarray) -> SplatNode:
    """Return the node of one agent.

    Args:
        agent_id: also picks the colours, so that an agent looks the same everywhere.
        kind: `AgentType`.
        size: (3,) length, width, height [m].
    """
    size = np.maximum(np.asarray(size, dtype=np.float64), 0.1)
    seed = zlib.crc32(agent_id.encode())
    blobs = _shape(AgentType(kind), size, seed)
    return SplatNode(agent_node(agent_id), blobs.to_gaussians())


def _shape(kind: AgentType, size: np.ndarray, seed: int) -> Blobs:
    if kind in (AgentType.VEHICLE, AgentType.EGO):
        return (
            large_vehicle(size, seed)
            if size[0] > _LARGE_LENGTH or size[2] > _LARGE_HEIGHT
            else car(size, seed)
        )
    if kind is AgentType.PEDESTRIAN:
        return pedestrian(seed).scaled(np.array([max(size[0], 0.5), max(size[1], 0.5), size[2]]))
    if kind is AgentType.CYCLIST:
        return cyclist(seed).scaled(size)
    if kind is AgentType.TRAFFIC_CONE:
        return cone().scaled(size)
    if kind is AgentType.BARRIER:
        return barrier(size)
    if kind is AgentType.CZONE_SIGN:
        return sign().scaled(size)
    return shell(
        (-size[0] / 2, -size[1] / 2, 0), (size[0] / 2, size[1] / 2, size[2]), 0.4, (0.45, 0.40, 0.33)
    )


def pedestrian(seed: int) -> Blobs:
    """Return a standing person in the unit box."""
    shirt, trousers = _CLOTHES[seed % len(_CLOTHES)], _TROUSERS[seed // 7 % len(_TROUSERS)]
    parts = [
        blob((0.05, 0.0, 0.93), (0.13, 0.12, 0.04), SKIN),
        blob((-0.02, 0.0, 0.96), (0.14, 0.13, 0.03), DARK),
    ]
    for side, stride in ((1.0, 0.16), (-1.0, -0.16)):
        for z, x in ((0.06, 1.0), (0.16, 0.8), (0.26, 0.55), (0.36, 0.3), (0.45, 0.1)):
            parts.append(blob((stride * x, 0.13 * side, z), (0.10, 0.09, 0.035), trousers))
        for z, x in ((0.52, 0.9), (0.62, 0.5), (0.72, 0.2)):
            parts.append(blob((-stride * x, 0.30 * side, z), (0.07, 0.055, 0.035), shirt))
        parts.append(blob((-stride, 0.30 * side, 0.46), (0.06, 0.05, 0.02), SKIN))
    for z in (0.50, 0.58, 0.66, 0.74, 0.81):
        parts.append(blob((0.0, 0.0, z), (0.16, 0.19, 0.035), shirt))
    return join(parts)


def cyclist(seed: int) -> Blobs:
    """Return a bicycle with its rider in the unit box."""
    shirt = _CLOTHES[seed % len(_CLOTHES)]
    frame = _CLOTHES[seed // 5 % len(_CLOTHES)]
    parts = []
    for wheel_x in (-0.31, 0.31):
        for angle in np.linspace(0.0, 2.0 * np.pi, 14, endpoint=False):
            center = (wheel_x + 0.17 * np.cos(angle), 0.0, 0.19 + 0.17 * np.sin(angle))
            parts.append(blob(center, (0.03, 0.05, 0.03), DARK))
    for x0, z0, x1, z1 in ((-0.31, 0.19, -0.02, 0.19), (-0.02, 0.19, 0.25, 0.45), (-0.31, 0.19, -0.12, 0.48)):
        for t in np.linspace(0.1, 0.9, 4):
            parts.append(blob((x0 + t * (x1 - x0), 0.0, z0 + t * (z1 - z0)), (0.04, 0.05, 0.02), frame))
    for t in np.linspace(0.0, 1.0, 5):
        parts.append(blob((-0.14 + 0.22 * t, 0.0, 0.52 + 0.28 * t), (0.06, 0.22, 0.045), shirt))
    for side in (1.0, -1.0):
        for t in np.linspace(0.0, 1.0, 4):
            parts.append(
                blob((-0.10 + 0.14 * t, 0.14 * side, 0.50 - 0.30 * t), (0.045, 0.09, 0.05), _TROUSERS[0])
            )
            parts.append(blob((0.08 + 0.16 * t, 0.28 * side, 0.76 - 0.24 * t), (0.035, 0.06, 0.03), shirt))
    parts += [
        blob((0.12, 0.0, 0.90), (0.05, 0.14, 0.04), SKIN),
        blob((0.11, 0.0, 0.95), (0.055, 0.15, 0.025), (0.9, 0.9, 0.2)),
    ]
    return join(parts)


def cone() -> Blobs:
    """Return a traffic cone in the unit box: base plate, orange body, white bands."""
    parts = [blob((0.0, 0.0, 0.03), (0.25, 0.25, 0.02), (0.12, 0.10, 0.10))]
    for z in np.linspace(0.08, 0.98, 10):
        radius = 0.20 * (1.0 - z) + 0.05
        color = WHITE if 0.42 < z < 0.56 or 0.72 < z < 0.82 else ORANGE
        parts.append(blob((0.0, 0.0, z), (radius, radius, 0.05), color))
    return join(parts)


def barrier(size: np.ndarray) -> Blobs:
    """Return a barrier with oblique-looking orange and white fields along its longer side [m]."""
    long_axis = 0 if size[0] >= size[1] else 1
    count = max(round(float(size[long_axis]) / 0.35), 2)
    edges = np.linspace(-0.5, 0.5, count + 1) * size[long_axis]
    parts = []
    for k in range(count):
        low, high = np.array([-size[0] / 2, -size[1] / 2, 0.0]), np.array([size[0] / 2, size[1] / 2, size[2]])
        low[long_axis], high[long_axis] = edges[k], edges[k + 1]
        middle = 0.5 * size[2]
        upper, lower = (ORANGE, WHITE) if k % 2 else (WHITE, ORANGE)
        parts.append(shell((low[0], low[1], middle), high, 0.35, upper))
        parts.append(shell(low, (high[0], high[1], middle), 0.35, lower))
    return join(parts)


def sign() -> Blobs:
    """Return an orange diamond on a post in the unit box, facing both ways."""
    parts = [blob((0.0, 0.0, z), (0.05, 0.04, 0.05), (0.5, 0.5, 0.5)) for z in np.linspace(0.05, 0.5, 6)]
    for y in np.linspace(-0.4, 0.4, 7):
        for z in np.linspace(-0.24, 0.24, 7):
            if abs(y) / 0.45 + abs(z) / 0.27 <= 1.0:
                color = DARK if abs(y) / 0.45 + abs(z) / 0.27 > 0.8 else ORANGE
                parts.append(blob((0.0, y, 0.72 + z), (0.06, 0.08, 0.05), color))
    return join(parts)
