"""Observations and plans to message headers and raw arrays, and back, without loss."""

from __future__ import annotations

import numpy as np

from simengine.bridge.arrays import ArrayRef, ArraySink, FrameReader, FrameWriter
from simengine.bridge.messages import (
    Buffer,
    CameraHeader,
    LidarHeader,
    ObservationHeader,
    PlanHeader,
    PlanReply,
    PlanRequest,
    pack,
)
from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.lidar import LidarCloud
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan

_HISTORY_ARRAYS = (
    "ego_pose",
    "ego_history",
    "velocity_history",
    "acceleration_history",
    "command_history",
    "history_valid",
)
_LIDAR_ARRAYS = ("points", "intensity", "ring", "sensor")


def pack_request(request: int, observation: Observation, image_sink: ArraySink | None = None) -> list[Buffer]:
    """Return the frames of a `PlanRequest`.

    Args:
        request: number of the request.
        observation: what to send.
        image_sink: takes the images in place of raw frames, such as `SharedImages`.
    """
    writer = FrameWriter()
    header = encode_observation(observation, writer, image_sink or writer)
    frames = writer.frames()
    return pack(PlanRequest(request, header, _sizes(frames)), frames)


def pack_reply(request: int, plan: Plan) -> list[Buffer]:
    """Return the frames of a `PlanReply`."""
    writer = FrameWriter()
    header = encode_plan(plan, writer)
    frames = writer.frames()
    return pack(PlanReply(request, header, _sizes(frames)), frames)


def encode_observation(observation: Observation, sink: ArraySink, image_sink: ArraySink) -> ObservationHeader:
    """Return the header of an observation, its arrays put into `sink` and its images into `image_sink`."""
    images = tuple(
        (name, image_sink.add(f"image {name}", image)) for name, image in observation.images.items()
    )
    return ObservationHeader(
        token=observation.token,
        step=int(observation.step),
        timestamp_us=int(observation.timestamp_us),
        images=images,
        cameras=tuple(_encode_camera(camera, sink) for camera in observation.cameras),
        history_dt=float(observation.history_dt),
        lidar=None if observation.lidar is None else _encode_lidar(observation.lidar, sink),
        **{name: sink.add(name, getattr(observation, name)) for name in _HISTORY_ARRAYS},
    )


def decode_observation(header: ObservationHeader, reader: FrameReader) -> Observation:
    """Return the observation that was encoded; its arrays are read-only."""
    return Observation(
        token=header.token,
        step=header.step,
        timestamp_us=header.timestamp_us,
        images={name: reader.read(f"image {name}", ref) for name, ref in header.images},
        cameras=tuple(_decode_camera(camera, reader) for camera in header.cameras),
        history_dt=header.history_dt,
        lidar=None if header.lidar is None else _decode_lidar(header.lidar, reader),
        **{name: reader.read(name, getattr(header, name)) for name in _HISTORY_ARRAYS},
    )


def encode_plan(plan: Plan, sink: ArraySink) -> PlanHeader:
    """Return the header of a plan, its arrays put into `sink`."""
    return PlanHeader(
        poses=sink.add("plan.poses", plan.poses),
        dt=float(plan.dt),
        vocabulary_index=None if plan.vocabulary_index is None else int(plan.vocabulary_index),
        scores=None if plan.scores is None else sink.add("plan.scores", plan.scores),
        log_probs=None if plan.log_probs is None else sink.add("plan.log_probs", plan.log_probs),
    )


def decode_plan(header: PlanHeader, reader: FrameReader) -> Plan:
    """Return the plan that was encoded; its arrays are read-only."""
    return Plan(
        poses=reader.read("plan.poses", header.poses),
        dt=header.dt,
        vocabulary_index=header.vocabulary_index,
        scores=_read_optional("plan.scores", header.scores, reader),
        log_probs=_read_optional("plan.log_probs", header.log_probs, reader),
    )


def _read_optional(name: str, ref: ArrayRef | None, reader: FrameReader) -> np.ndarray | None:
    return None if ref is None else reader.read(name, ref)


def _encode_camera(camera: CameraCalibration, sink: ArraySink) -> CameraHeader:
    return CameraHeader(
        camera.name,
        int(camera.width_px),
        int(camera.height_px),
        sink.add("intrinsic", camera.intrinsic),
        sink.add("ego_from_cam", camera.ego_from_cam),
        sink.add("distortion", camera.distortion),
    )


def _decode_camera(header: CameraHeader, reader: FrameReader) -> CameraCalibration:
    return CameraCalibration(
        header.name,
        header.width_px,
        header.height_px,
        reader.read("intrinsic", header.intrinsic),
        reader.read("ego_from_cam", header.ego_from_cam),
        reader.read("distortion", header.distortion),
    )


def _encode_lidar(cloud: LidarCloud, sink: ArraySink) -> LidarHeader:
    return LidarHeader(*(sink.add(f"lidar.{name}", getattr(cloud, name)) for name in _LIDAR_ARRAYS))


def _decode_lidar(header: LidarHeader, reader: FrameReader) -> LidarCloud:
    return LidarCloud(*(reader.read(f"lidar.{name}", getattr(header, name)) for name in _LIDAR_ARRAYS))


def _sizes(frames: list[bytearray | memoryview]) -> tuple[int, ...]:
    return tuple(memoryview(frame).nbytes for frame in frames)
