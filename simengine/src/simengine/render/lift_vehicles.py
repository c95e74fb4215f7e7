"""Shapes of cars, vans, lorries and buses, made to the size of their boxes."""

from __future__ import annotations

import numpy as np

from simengine.render.shapes import Blobs, blob, join, shell

GLASS = (0.10, 0.14, 0.19)
TYRE = (0.05, 0.05, 0.055)
HEADLIGHT = (1.0, 0.98, 0.85)
TAILLIGHT = (0.90, 0.05, 0.06)

_PAINTS = (
    (0.80, 0.81, 0.83),
    (0.93, 0.93, 0.93),
    (0.16, 0.16, 0.18),
    (0.48, 0.50, 0.53),
    (0.62, 0.10, 0.11),
    (0.12, 0.22, 0.48),
    (0.32, 0.36, 0.34),
    (0.70, 0.64, 0.50),
    (0.10, 0.32, 0.30),
    (0.78, 0.36, 0.12),
)
_CELL = 0.32


def paint(seed: int) -> tuple[float, float, float]:
    """Return the body colour of a vehicle."""
    return _PAINTS[seed % len(_PAINTS)]


def car(size: np.ndarray, seed: int) -> Blobs:
    """Return a car [m]: body, cabin with windows, wheels, head and tail lights and its shadow."""
    length, width, height = size
    color = paint(seed)
    x, y = 0.5 * length, 0.5 * width
    waist, sill = 0.56 * height, 0.20 * height
    van = seed // 11 % 4 == 0
    rear, front = (-0.48, 0.24) if van else (-0.36, 0.22)
    parts = [
        shell((-x, -y, sill), (x, y, waist), _CELL, color),
        shell((-0.97 * x, -0.94 * y, 0.08 * height), (0.97 * x, 0.94 * y, sill), 0.5, TYRE, _SIDES),
        _cabin((rear * length, -0.90 * y, waist), (front * length, 0.90 * y, 0.985 * height), color),
        blob(
            ((front + 0.055) * length, 0.0, 0.66 * height),
            (0.035 * length, 0.32 * width, 0.06 * height),
            GLASS,
        ),
    ]
    parts += _wheels(size, (-0.30, 0.31), 0.33)
    parts += _lights(size, 0.42)
    parts += _shadow(size)
    return join(parts)


def large_vehicle(size: np.ndarray, seed: int) -> Blobs:
    """Return a bus, or a lorry with a box behind its cab [m]."""
    length, width, height = size
    x, y, floor = 0.5 * length, 0.5 * width, 0.16 * height
    color = paint(seed)
    if seed // 13 % 2 == 0 and length > 6.0:
        belt = (0.50 * height, 0.82 * height)
        parts = [
            shell((-x, -y, floor), (x, y, belt[0]), 0.5, color, _SIDES),
            shell((-x, -y, belt[0]), (x, y, belt[1]), 0.5, GLASS, _SIDES),
            shell((-x, -y, belt[1]), (x, y, height), 0.5, color),
        ]
    else:
        cab = x - min(2.2, 0.3 * length)
        parts = [
            shell((-x, -y, 0.28 * height), (cab - 0.15, y, height), 0.5, (0.86, 0.86, 0.84)),
            shell((-x, -0.5 * y, floor), (cab, 0.5 * y, 0.28 * height), 0.6, TYRE, _SIDES),
            shell((cab, -0.95 * y, floor), (x, 0.95 * y, 0.50 * height), 0.4, color),
            _cabin((cab, -0.95 * y, 0.50 * height), (0.97 * x, 0.95 * y, 0.84 * height), color),
        ]
    axles = (-0.34, 0.36) if length < 9.0 else (-0.40, -0.30, 0.36)
    parts += _wheels(size, axles, 0.48)
    parts += _lights(size, 0.28)
    parts += _shadow(size)
    return join(parts)


_SIDES = ("left", "right", "front", "rear")


def _cabin(
    low: tuple[float, float, float], high: tuple[float, float, float], color: tuple[float, ...]
) -> Blobs:
    """Return glass all round with a painted roof and pillars at the corners."""
    pillars = [
        blob((x, y, 0.5 * (low[2] + high[2])), (0.05, 0.04, 0.22 * (high[2] - low[2])), color)
        for x in (low[0], 0.5 * (low[0] + high[0]), high[0])
        for y in (low[1], high[1])
    ]
    edge = high[2] - 0.16 * (high[2] - low[2])
    return join(
        [
            shell(low, (high[0], high[1], edge), _CELL, GLASS, _SIDES),
            shell(
                (low[0] + 0.1, low[1] + 0.05, edge), (high[0] - 0.12, high[1] - 0.05, high[2]), _CELL, color
            ),
            *pillars,
        ]
    )


def _wheels(size: np.ndarray, axles: tuple[float, ...], radius: float) -> list[Blobs]:
    """Return dark discs with a bright hub at both sides of each axle (fractions of the length)."""
    parts = []
    for axle in axles:
        for side in (1.0, -1.0):
            at = (axle * size[0], side * (0.5 * size[1] + 0.03), radius)
            parts.append(blob(at, (0.5 * radius, 0.03, 0.5 * radius), TYRE))
            hub = (at[0], side * (0.5 * size[1] + 0.08), radius)
            parts.append(blob(hub, (0.17 * radius, 0.02, 0.17 * radius), (0.55, 0.55, 0.56)))
    return parts


def _lights(size: np.ndarray, height: float) -> list[Blobs]:
    """Return head and tail lights at a fraction `height` of the box."""
    parts = []
    for side in (1.0, -1.0):
        y, z = side * 0.37 * size[1], height * size[2]
        parts.append(blob((0.5 * size[0] + 0.02, y, z), (0.02, 0.13, 0.075), HEADLIGHT))
        parts.append(blob((-0.5 * size[0] - 0.02, y, z + 0.05), (0.02, 0.13, 0.09), TAILLIGHT))
    return parts


def _shadow(size: np.ndarray) -> list[Blobs]:
    """Return dark blobs on the ground below the body."""
    count = max(int(size[0] / 0.8), 2)
    return [
        blob((x, 0.0, 0.04), (0.55 * size[0] / count, 0.36 * size[1], 0.01), (0.06, 0.06, 0.065))
        for x in (np.arange(count) + 0.5) / count * size[0] - 0.5 * size[0]
    ]
