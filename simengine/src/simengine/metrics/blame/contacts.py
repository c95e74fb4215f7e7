"""Blame for collisions and for too short a time to collision."""

from __future__ import annotations

from dataclasses import fields
from typing import NamedTuple

import numpy as np
import shapely

from simengine.geometry.se2 import points_to_local, shift_forward
from simengine.metrics.blame.blame import Blame
from simengine.metrics.blame.drive import Drive
from simengine.metrics.pdm.collision import CollisionKind, no_at_fault_collisions
from simengine.metrics.pdm.contact import track_boxes
from simengine.metrics.pdm.ego_areas import EgoAreas
from simengine.metrics.pdm.ego_geometry import ego_geometry
from simengine.metrics.pdm.observation import TrackObservation

COLLISION, TTC = "no_at_fault_collisions", "time_to_collision_within_bound"
_KINDS = {
    CollisionKind.STANDING_TRACK: "standing track",
    CollisionKind.FRONT: "front",
    CollisionKind.LATERAL: "lateral",
}


class Hit(NamedTuple):
    """An at-fault contact."""

    frame: int
    track: int
    kind: CollisionKind


def collisions(drive: Drive) -> list[Blame]:
    """Return the first at-fault collision; also the first one with a road user where an object was hit before it."""
    found, row = drive.batch.collisions, drive.row
    hits = [Hit(int(found.first_frame[row]), int(found.track[row]), CollisionKind(int(found.detail[row])))]
    static = drive.scene.observation.is_static
    if drive.batch.no_at_fault_collisions[row] == 0.0 and static[hits[0].track]:
        hits.append(_first_hit(drive, np.flatnonzero(~static)))
    return [_collision(drive, hit) for hit in hits]


def _first_hit(drive: Drive, tracks: np.ndarray) -> Hit:
    """Return the first at-fault contact with one of some tracks (K,); tracks are judged independently."""
    scene, seen, areas = drive.scene, drive.scene.observation, drive.batch.areas
    some = TrackObservation(
        tuple(seen.ids[i] for i in tracks),
        *(getattr(seen, name)[tracks] for name in ("types", "pose", "size", "present", "velocity")),
    )
    own = EgoAreas(*(getattr(areas, field.name)[drive.row][None] for field in fields(areas)))
    ego = ego_geometry(drive.states[None], scene.vehicle)
    found = no_at_fault_collisions(ego, track_boxes(some, scene.parameters), own, scene.parameters)[1]
    return Hit(int(found.first_frame[0]), int(tracks[found.track[0]]), CollisionKind(int(found.detail[0])))


def _collision(drive: Drive, hit: Hit) -> Blame:
    frame, track, kind = hit
    areas, seen = drive.batch.areas, drive.scene.observation
    name, agent_type = drive.label(track)
    touch = _touch(drive.footprint(frame), drive.outline(track, frame))
    numbers = {
        "kind": _KINDS[kind],
        "side": "front" if kind is CollisionKind.FRONT else _side(drive, frame, touch),
        **drive.meeting(track, frame),
        "first_seen_speed": float(np.hypot(*seen.first_velocity[track])),
        "contact": [float(touch.x), float(touch.y)],
        "straddling_lanes": bool(areas.multiple_lanes[drive.row, frame]),
        "off_road": bool(areas.non_drivable[drive.row, frame]),
    }
    side = numbers["side"]
    once = (
        ""
        if numbers["object_speed"] <= drive.scene.parameters.stopped_speed
        else " as it did when first seen"
    )
    how = {
        CollisionKind.STANDING_TRACK: f"hit it with its {side}; it counts as standing{once}",
        CollisionKind.FRONT: "ran into it with its front",
        CollisionKind.LATERAL: f"touched it with its {side} while {_exposure(numbers)}",
    }[kind]
    account = f"at {numbers['ego_speed']:.1f} m/s the ego {how}; {_relative(numbers)}"
    return Blame(COLLISION, drive.time(frame), name, agent_type, "collision", account, numbers)


def _touch(ego: shapely.Polygon, other: shapely.Polygon) -> shapely.Point:
    """Return the middle of what two outlines share; boxes that just touch may share nothing after rounding."""
    shared = shapely.intersection(ego, other)
    return (shapely.shortest_line(ego, other) if shared.is_empty else shared).centroid


def _side(drive: Drive, frame: int, touch: shapely.Point) -> str:
    """Return the side of the ego that a point inside its outline is nearest to."""
    vehicle = drive.scene.vehicle
    center = shift_forward(drive.states[frame, :3], vehicle.rear_axle_to_center)
    x, y = points_to_local(center, np.array([[touch.x, touch.y]]))[0]
    to_end, to_side = 0.5 * vehicle.length - abs(x), 0.5 * vehicle.width - abs(y)
    if to_end <= to_side:
        return "front" if x > 0 else "rear"
    return "left side" if y > 0 else "right side"


def _exposure(numbers: dict) -> str:
    """Return in words why the ego has to look to its sides, too."""
    places = {
        "straddling_lanes": "straddling lanes",
        "off_road": "partly off the road",
        "in_intersection": "in an intersection",
    }
    return " and ".join(words for name, words in places.items() if numbers.get(name))


def _relative(numbers: dict) -> str:
    ahead, left = numbers["ahead_of_rear_axle"], numbers["left_of_rear_axle"]
    along = f"{abs(ahead):.1f} m {'ahead of' if ahead >= 0 else 'behind'} the rear axle"
    across = f"{abs(left):.1f} m to the {'left' if left >= 0 else 'right'}"
    return (
        f"it moved at {numbers['object_speed']:.1f} m/s, the two closing at {numbers['closing_speed']:.1f} m/s; its "
        f"centre was {along} and {across}, {numbers['angle_deg']:.0f} deg off the heading"
    )


def too_close(drive: Drive) -> Blame:
    """Return the first moment from which going straight on would have ended in a track."""
    found, row, scene = drive.batch.ttc_violations, drive.row, drive.scene
    frame, track, later = int(found.first_frame[row]), int(found.track[row]), int(found.detail[row])
    name, agent_type = drive.label(track)
    look, areas = later * scene.dt, drive.batch.areas
    moved = look * float(drive.speed[frame]) if scene.parameters.ttc_from_moved_ego else 0.0
    here = bool(scene.observation.present[track, frame])
    angle = drive.angle_deg(track, frame, frame + later, moved)
    numbers = {
        "look_ahead": round(look, 6),
        "gap": float(shapely.distance(drive.footprint(frame), drive.outline(track, frame)))
        if here
        else np.nan,
        **drive.meeting(track, frame if here else frame + later),
        "ego_speed": float(drive.speed[frame]),
        "angle_deg": angle,
        "is_ahead": angle < scene.parameters.ahead_angle_deg,
        "straddling_lanes": bool(areas.multiple_lanes[row, frame]),
        "off_road": bool(areas.non_drivable[row, frame]),
        "in_intersection": bool(areas.in_intersection[row, frame]),
    }
    account = _foresight(numbers)
    return Blame(TTC, drive.time(frame), name, agent_type, "time to collision too short", account, numbers)


def _foresight(numbers: dict) -> str:
    when = f"in {numbers['look_ahead']:.1f} s" if numbers["look_ahead"] else "at once"
    apart = "not there yet" if np.isnan(numbers["gap"]) else f"{numbers['gap']:.1f} m away"
    seen = f"{numbers['angle_deg']:.0f} deg off the heading"
    if not numbers["is_ahead"]:
        seen += f", not behind an ego that is {_exposure(numbers)}"
    return (
        f"going straight on at {numbers['ego_speed']:.1f} m/s the ego meets it {when}; it is {apart}, moves at "
        f"{numbers['object_speed']:.1f} m/s, the two closing at {numbers['closing_speed']:.1f} m/s, and will be {seen}"
    )
