"""Blame for leaving the drivable area and for driving off the lanes of the route."""

from __future__ import annotations

import numpy as np
import shapely

from simengine.metrics.blame.blame import Blame
from simengine.metrics.blame.drive import CORNERS, Drive, spell
from simengine.metrics.pdm.map_areas import LANE_LAYERS

OFF_ROAD, DIRECTION = "drivable_area_compliance", "driving_direction_compliance"


def off_road(drive: Drive) -> Blame:
    """Return the first departure from the drivable area: which corner, how far, for how long."""
    scene, flags = drive.scene, drive.batch.areas.non_drivable[drive.row]
    frame = int(flags.argmax())
    outside = corners_outside(drive)
    last = spell(flags, frame)[1]
    worst_frame, worst_corner = np.unravel_index(np.argmax(outside), outside.shape)
    corner = int(np.argmax(np.where(outside[frame] >= 0.0, outside[frame], -1.0)))
    x, y = drive.corners[frame, corner]
    surface = scene.drivable.surface(scene.parameters.areas)
    nearest = surface[int(np.argmin(shapely.distance(scene.drivable.polygons[surface], shapely.Point(x, y))))]
    numbers = {
        "corner": CORNERS[corner],
        "position": [float(x), float(y)],
        "outside": max(0.0, float(outside[frame, corner])),
        "corners_outside": {
            name: float(far) for name, far in zip(CORNERS, outside[frame], strict=True) if far >= 0.0
        },
        "nearest_area": scene.drivable.ids[nearest],
        "nearest_layer": scene.drivable.layers[nearest].value,
        "until": drive.time(last),
        "duration": drive.time(last - frame + 1),
        "whole_duration": drive.time(int(flags.sum())),
        "most_outside": max(0.0, float(outside[worst_frame, worst_corner])),
        "most_outside_time": drive.time(worst_frame),
        "most_outside_corner": CORNERS[int(worst_corner)],
    }
    account = (
        f"the {numbers['corner']} corner is {numbers['outside']:.2f} m outside at ({x:.1f}, {y:.1f}), nearest to "
        f"{numbers['nearest_layer'].replace('_', ' ')} {numbers['nearest_area']}; outside for "
        f"{numbers['whole_duration']:.1f} s in all, at most by {numbers['most_outside']:.2f} m "
        f"({numbers['most_outside_corner']}, {numbers['most_outside_time']:.1f} s)"
    )
    return Blame(
        OFF_ROAD, drive.time(frame), detail="off the drivable area", account=account, numbers=numbers
    )


def corners_outside(drive: Drive) -> np.ndarray:
    """Return how far each corner (S, 4) is outside all surfaces [m], -1 where it is inside one.

    A corner on the border of a surface counts as outside, by 0 m.
    """
    drivable = drive.scene.drivable
    surface = drivable.surface(drive.scene.parameters.areas)
    inside = drivable.contains(surface, drive.corners).any(axis=0)
    outside = np.full(inside.shape, -1.0)
    ground = shapely.union_all(drivable.polygons[surface])
    outside[~inside] = shapely.distance(ground, shapely.points(drive.corners[~inside]))
    return outside


def wrong_way(drive: Drive, flags: np.ndarray | None = None) -> Blame:
    """Return where too many metres were driven off the lanes of the route.

    Args:
        drive: what was driven.
        flags: (S,) which steps count, by default those off the lanes of the route.
    """
    scene, parameters = drive.scene, drive.scene.parameters
    flags = drive.batch.areas.oncoming[drive.row] if flags is None else flags
    steps = np.where(flags, np.hypot(*np.diff(drive.centers, axis=0, prepend=drive.centers[:1]).T), 0.0)
    total = np.cumsum(steps)
    window = round(parameters.direction_window / scene.dt)
    frames = np.arange(len(steps))
    first = np.maximum(frames - window, 0)
    if parameters.direction_rule == "stretch":
        first = np.array([spell(flags, f)[0] if flags[f] else f + 1 for f in frames])
    metres = np.array([steps[a : b + 1].sum() for a, b in zip(first, frames, strict=True)])
    worst = int(metres.argmax())
    frame = int((metres >= parameters.direction_compliant - 1e-9).argmax())
    numbers = {
        "metres": float(metres[worst]),
        "from": drive.time(first[worst]),
        "until": drive.time(worst),
        "allowed": parameters.direction_compliant,
        "no_score_from": parameters.direction_violation,
        "metres_in_all": float(total[-1]),
        "off_route_since": drive.time(int(flags.argmax())),
        "lanes": _lanes_under(drive, worst),
    }
    where = f"on {', '.join(numbers['lanes'])}" if numbers["lanes"] else "on no lane"
    account = (
        f"{numbers['metres']:.1f} m off the lanes of the route from {numbers['from']:.1f} s to "
        f"{numbers['until']:.1f} s, {where}, where {numbers['allowed']:.0f} m are allowed; "
        f"{numbers['metres_in_all']:.1f} m in all since {numbers['off_route_since']:.1f} s"
    )
    detail = "off the lanes of the route"
    return Blame(DIRECTION, drive.time(frame), detail=detail, account=account, numbers=numbers)


def _lanes_under(drive: Drive, frame: int) -> list[str]:
    drivable = drive.scene.drivable
    lanes = drivable.select(*LANE_LAYERS)
    inside = drivable.contains(lanes, drive.centers[frame])
    return [drivable.ids[i] for i in lanes[inside]]
