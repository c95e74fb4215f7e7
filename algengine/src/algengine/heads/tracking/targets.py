"""Labelled objects of one frame as the track head learns them; the ego is one of them.

B batch, M objects.
"""

from __future__ import annotations

import torch
from torch import Tensor

from algengine.heads.tracking.box_code import BoxCode
from algengine.losses.tracking import Targets
from algengine.structures.objects import BOX_SIZE, OBJECT_CLASSES, ClipObjects
from simengine.datatypes.vehicle import VehicleParams


def frame_targets(objects: ClipObjects, frame: int, ego_velocity: Tensor, code: BoxCode) -> Targets:
    """Return the M objects of one frame and, in the last row, the ego; whether the others are there is not said.

    Args:
        objects: of B clips, see `padded`.
        frame: of the clips.
        ego_velocity: (B, 2) in the ego frame [m/s].
        code: layout of boxes.
    """
    boxes = torch.cat([objects.boxes[:, frame], ego_box(ego_velocity)[:, None]], dim=1)
    labels = torch.full_like(objects.labels[:, :1], OBJECT_CLASSES.index("vehicle"))
    tracks, valid = objects.tracks[:, frame], objects.tracks_valid[:, frame]
    return Targets(
        labels=torch.cat([objects.labels, labels], dim=1),
        codes=code.encode(boxes),
        tracks=torch.cat([tracks, tracks.new_zeros(len(tracks), 1, *tracks.shape[2:])], dim=1),
        tracks_valid=torch.cat([valid, valid.new_zeros(len(valid), 1, valid.shape[2])], dim=1),
    )


def ego_box(velocity: Tensor) -> Tensor:
    """Return the box (B, 9) of the ego in its own frame, which starts on the road below the rear axle."""
    car = VehicleParams()
    box = velocity.new_zeros(len(velocity), BOX_SIZE)
    box[:, 7:] = velocity
    # One column at a time: a tensor of all numbers would be copied to the GPU at every frame.
    place = (car.rear_axle_to_center, 0.0, car.height / 2, car.length, car.width, car.height)
    for column, number in enumerate(place):
        box[:, column] = number
    return box
