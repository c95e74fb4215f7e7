"""What happened when: the moments of a drive in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from simengine.geometry import boxes, polyline
from simengine.metrics.blame.blame import Blame
from simengine.metrics.blame.drive import Drive, spells

STANDING = 0.05


class Moment(NamedTuple):
    """Something that happened: when [s], and what."""

    time: float
    text: str


def timeline(drive: Drive, blames: Iterable[Blame] = ()) -> list[Moment]:
    """Return the moments of a drive by time: start and end, stops, areas entered and left, contacts, failures.

    Args:
        drive: what was driven.
        blames: its failures; they come with a leading "!".
    """
    last = len(drive.states) - 1
    length = polyline.arc_length(drive.states[:, :2])[-1]
    moments = [
        Moment(0.0, f"starts at {drive.speed[0]:.1f} m/s"),
        *_stops(drive),
        *_areas(drive),
        *_contacts(drive),
        *(
            Moment(blame.time, f"! {blame.sub_score}: {blame.sentence()}")
            for blame in blames
            if not blame.slight
        ),
        Moment(drive.time(last), f"ends after {length:.1f} m at {drive.speed[last]:.1f} m/s"),
    ]
    return sorted(moments, key=lambda moment: moment.time)


def _stops(drive: Drive) -> list[Moment]:
    moments = []
    for first, last in spells(drive.speed <= STANDING):
        if first > 0:
            moments.append(Moment(drive.time(first), "stands"))
        if last + 1 < len(drive.states):
            moments.append(Moment(drive.time(last + 1), "moves off"))
    return moments


def _areas(drive: Drive) -> list[Moment]:
    areas, row = drive.batch.areas, drive.row
    kinds = {
        "partly off the drivable area": areas.non_drivable[row],
        "straddles lanes": areas.multiple_lanes[row],
        "off the lanes of the route": areas.oncoming[row],
    }
    return [
        Moment(drive.time(first), f"{words} until {drive.time(last):.1f} s")
        for words, flags in kinds.items()
        for first, last in spells(flags)
    ]


def _contacts(drive: Drive) -> list[Moment]:
    seen = drive.scene.observation
    frames = min(len(drive.states), seen.num_frames)
    if not seen.ids:
        return []
    touching = (
        boxes.overlap(drive.corners[None, :frames], seen.corners[:, :frames]) & seen.present[:, :frames]
    )
    blamed = (int(drive.batch.collisions.track[drive.row]), drive.batch.collisions.first_frame[drive.row])
    moments = []
    for track in np.flatnonzero(touching.any(axis=1)):
        name, kind = drive.label(int(track))
        for first, last in spells(touching[track]):
            fault = ", at fault" if track == blamed[0] and first <= blamed[1] <= last else ""
            if drive.batch.no_at_fault_collisions[drive.row] == 1.0:
                fault = ", not at fault"
            words = f"touches {name} ({kind}) until {drive.time(last):.1f} s{fault}"
            moments.append(Moment(drive.time(first), words))
    return moments
