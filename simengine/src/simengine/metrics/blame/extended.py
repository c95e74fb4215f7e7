"""All failures of one drive scored by the extended PDM score (NAVSIM v2), most severe first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely

from simengine.geometry import polyline
from simengine.metrics.blame.areas import DIRECTION, OFF_ROAD, off_road, wrong_way
from simengine.metrics.blame.blame import Blame
from simengine.metrics.blame.contacts import COLLISION, TTC, collisions, too_close
from simengine.metrics.blame.drive import Drive, spell
from simengine.metrics.blame.find import in_order
from simengine.metrics.blame.progress import FULL, PROGRESS, little_progress
from simengine.metrics.blame.ride import discomfort
from simengine.metrics.epdms.aggregate import EXTENDED_COMFORT, MULTIPLIERS
from simengine.metrics.epdms.extended_comfort import overlap_shift
from simengine.metrics.epdms.filters import smooth
from simengine.metrics.epdms.history_comfort import history_comfort
from simengine.metrics.epdms.motion import acceleration_at_center, motion
from simengine.metrics.epdms.parameters import EpdmsParameters
from simengine.metrics.epdms.scene import EpdmsScene
from simengine.metrics.epdms.scorer import EpdmsBatch, PreviousFrame

LIGHTS, LANE_KEEPING, HISTORY = "traffic_light_compliance", "lane_keeping", "history_comfort"


def extended_blames_of(
    batch: EpdmsBatch, scene: EpdmsScene, drive: Drive, previous: PreviousFrame | None = None
) -> tuple[Blame, ...]:
    """Return everything that cost points; what the human filter excuses costs none.

    Args:
        batch: the sub-scores, whose row `drive.row` is asked about.
        scene: what they were scored against.
        drive: that row.
        previous: the frame before, as it was given to the scorer.
    """
    values = {name: float(column[drive.row]) for name, column in batch.columns.items()}
    crossing = drive.batch.areas.center_in_intersection[drive.row]
    hard, soft = [], []
    if values[COLLISION] < 1.0:
        hard += collisions(drive)
    if values[OFF_ROAD] < 1.0:
        hard.append(off_road(drive))
    if values[DIRECTION] < 1.0:
        hard.append(wrong_way(drive, drive.batch.areas.oncoming[drive.row] & ~crossing))
    if values[LIGHTS] < 1.0:
        hard.append(on_red(drive, scene, int(batch.first_on_red[drive.row])))
    if values[TTC] < 1.0:
        soft.append(too_close(drive))
    if values[LANE_KEEPING] < 1.0:
        soft.append(beside_line(drive, ~crossing))
    if values[HISTORY] < 1.0:
        soft.append(_history(drive, scene))
    if values[EXTENDED_COMFORT] < 1.0 and previous is not None:
        lever = scene.pdm.vehicle.rear_axle_to_center
        soft.append(
            unlike_before(drive.states, _own(previous, drive.row), scene.pdm.dt, lever, scene.parameters)
        )
    if values[PROGRESS] < FULL:
        lost = {name: values[name] for name in MULTIPLIERS if values[name] < 1.0}
        soft.append(little_progress(drive, values, {} if scene.parameters.clipped_progress else lost))
    return in_order(hard, soft)


def _own(previous: PreviousFrame, row: int) -> PreviousFrame:
    return previous if previous.states.ndim == 2 else replace(previous, states=previous.states[row])


def on_red(drive: Drive, scene: EpdmsScene, frame: int) -> Blame:
    """Return which red connectors the ego stands on at a frame, how fast, and since when they show red."""
    lights, footprint = scene.lights, drive.footprint(frame)
    red = np.flatnonzero(lights.red[:, frame])
    gaps = shapely.distance(footprint, [shapely.Polygon(lights.outlines[row]) for row in red])
    # What just touches may be a rounding error away.
    touched = red[gaps <= gaps.min() + 1e-9]
    since = max(frame - spell(lights.red[row], frame)[0] for row in touched)
    names = [lights.ids[row] for row in touched]
    numbers = {
        "connectors": names,
        "ego_speed": float(drive.speed[frame]),
        "red_for": drive.time(since),
        "position": [float(value) for value in drive.centers[frame]],
    }
    account = (
        f"at {numbers['ego_speed']:.1f} m/s on {', '.join(names)}, red "
        f"{'from the start' if since == frame else f'for {since * drive.scene.dt:.1f} s'}"
    )
    return Blame(LIGHTS, drive.time(frame), detail="on red", account=account, numbers=numbers)


def beside_line(drive: Drive, counted: np.ndarray) -> Blame:
    """Return when the ego had been beside the centre line for too long, and how far.

    Args:
        drive: what was driven.
        counted: (S,) states that count.
    """
    parameters, dt = drive.scene.parameters, drive.scene.dt
    limit, allowed = parameters.lane_keeping_offset, int(np.ceil(parameters.lane_keeping_time / dt - 1e-9))
    offset = polyline.project(drive.scene.centerline[:, :2], drive.centers)[1]
    frames = np.flatnonzero(counted)
    beside = np.abs(offset[frames]) > limit
    run = np.zeros(len(frames), np.int64)
    for k, is_beside in enumerate(beside):
        run[k] = (run[k - 1] if k else 0) + 1 if is_beside else 0
    at = int((run >= allowed).argmax())
    first, last = spell(beside, at)
    here = offset[frames[at]]
    extreme = float(np.abs(offset[frames[first : last + 1]]).max())
    numbers = {
        "offset": float(abs(here)),
        "side": "left" if here > 0 else "right",
        "from": drive.time(frames[first]),
        "until": drive.time(frames[last]),
        "duration": drive.time(last - first + 1),
        "most_offset": extreme,
        "allowed_offset": limit,
        "allowed_duration": parameters.lane_keeping_time,
    }
    account = (
        f"{numbers['offset']:.2f} m {numbers['side']} of the centre line, more than {limit:g} m from it since "
        f"{numbers['from']:.1f} s and for {numbers['duration']:.1f} s in all, at most {extreme:.2f} m"
    )
    detail = "beside the centre line"
    return Blame(LANE_KEEPING, drive.time(frames[at]), detail=detail, account=account, numbers=numbers)


def _history(drive: Drive, scene: EpdmsScene) -> Blame:
    found = history_comfort(
        drive.states[None],
        scene.past,
        rear_axle_to_center=scene.pdm.vehicle.rear_axle_to_center,
        dt=scene.pdm.dt,
        rules=scene.parameters.history,
    )
    return discomfort(HISTORY, found, 0, scene.pdm.dt, len(scene.past))


def unlike_before(
    states: np.ndarray,
    previous: PreviousFrame,
    dt: float,
    rear_axle_to_center: float,
    parameters: EpdmsParameters,
) -> Blame:
    """Return in which series a plan differs too much from that of the frame before.

    Args:
        states: (S, 11) simulated from the plan.
        previous: the frame before, with states (S, 11); a pair with this one.
        dt: time between states [s].
        rear_axle_to_center: lever at which accelerations are judged [m].
        parameters: limits and filters.
    """
    shift = overlap_shift(previous.elapsed, dt, parameters)
    now = _felt(states[:-shift], dt, rear_axle_to_center, parameters)
    then = _felt(previous.states[shift:], dt, rear_axle_to_center, parameters)
    limits = {
        "acceleration": (parameters.acceleration_difference, "m/s^2"),
        "jerk": (parameters.jerk_difference, "m/s^3"),
        "yaw rate": (parameters.yaw_rate_difference, "rad/s"),
        "yaw acceleration": (parameters.yaw_acceleration_difference, "rad/s^2"),
    }
    differences = {name: float(np.sqrt(np.mean((now[name] - then[name]) ** 2))) for name in limits}
    broken = [name for name, (limit, _) in limits.items() if differences[name] > limit]
    numbers = {
        "differences": differences,
        "limits": {name: limit for name, (limit, _) in limits.items()},
        "elapsed": previous.elapsed,
    }
    words = [
        f"{name} by {differences[name]:.3g} {limits[name][1]} ({limits[name][0]:g} allowed)"
        for name in broken
    ]
    account = (
        f"differs from the plan {previous.elapsed:.1f} s before in {' and '.join(words)}, root mean square"
    )
    detail = "unlike the plan before"
    return Blame(EXTENDED_COMFORT, 0.0, detail=detail, account=account, numbers=numbers)


def _felt(
    states: np.ndarray, dt: float, rear_axle_to_center: float, parameters: EpdmsParameters
) -> dict[str, np.ndarray]:
    rules, moved = parameters.extended, motion(states[None])
    lon, lat = moved.longitudinal, moved.lateral
    if rules.centripetal:
        lon, lat = acceleration_at_center(moved, rear_axle_to_center, rules, dt)
    size = np.hypot(lon, lat)
    return {
        "acceleration": smooth(size, rules.acceleration_window, 2),
        "jerk": smooth(smooth(size, rules.presmoothing_window, 2), rules.jerk_window, 2, 1, dt),
        "yaw rate": smooth(moved.heading, rules.yaw_window, 2, 1, dt),
        "yaw acceleration": smooth(moved.heading, rules.yaw_window, 2, 2, dt),
    }
