"""The messages of the bridge, and how one becomes frames of a socket.

A message is one msgpack header, then the raw frames of its arrays. `Hello`, `Welcome` and `ErrorReply`
may gain fields but never change or lose one, so that different versions can still refuse each other
politely. An observation may gain optional parts that a planner need not know. Any other change needs a new `PROTOCOL`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from simengine.bridge.arrays import ArrayRef
from simengine.errors import BridgeError

PROTOCOL = 1
MAX_HEADER_BYTES = 4 * 2**20

ErrorCode = Literal["version", "malformed", "unknown_session", "bad_request", "token_in_use", "planner"]


class Hello(msgspec.Struct, frozen=True, tag_field="kind", tag="hello"):
    """First message of a simulator.

    Attributes:
        protocol: version the simulator speaks.
        client: random name of this simulator; the same after it has dialled again.
    """

    protocol: int
    client: str


class Welcome(msgspec.Struct, frozen=True, tag_field="kind", tag="welcome"):
    """Answer to `Hello`.

    Attributes:
        protocol: version the planner speaks.
        planner: name of the planner.
        metadata: what the planner wants to be recorded with the run, such as its checkpoint.
        instance: random name of this server; another one at the same address means that memory is gone.
    """

    protocol: int
    planner: str
    metadata: dict[str, str] = {}
    instance: str = ""


class Attach(msgspec.Struct, frozen=True, tag_field="kind", tag="attach"):
    """Announces shared memory for the images of the following requests; replaces an earlier one.

    Attributes:
        name: random name of the memory.
        pid: process that holds it.
        fd: file descriptor in that process.
        size: bytes.
    """

    name: str
    pid: int
    fd: int
    size: int


class Attached(msgspec.Struct, frozen=True, tag_field="kind", tag="attached"):
    """Answer to `Attach`.

    Attributes:
        name: of the memory.
        refusal: why it cannot be used; the simulator then sends images as raw frames.
    """

    name: str
    refusal: str | None = None


class CameraHeader(msgspec.Struct, frozen=True, array_like=True):
    """`CameraCalibration` with its arrays elsewhere."""

    name: str
    width_px: int
    height_px: int
    intrinsic: ArrayRef
    ego_from_cam: ArrayRef
    distortion: ArrayRef


class LidarHeader(msgspec.Struct, frozen=True, array_like=True):
    """`LidarCloud` with its arrays elsewhere."""

    points: ArrayRef
    intensity: ArrayRef
    ring: ArrayRef
    sensor: ArrayRef


class ObservationHeader(msgspec.Struct, frozen=True, omit_defaults=True):
    """`Observation` with its arrays elsewhere; `images` keeps the order of the channels."""

    token: str
    step: int
    timestamp_us: int
    images: tuple[tuple[str, ArrayRef], ...]
    cameras: tuple[CameraHeader, ...]
    ego_pose: ArrayRef
    ego_history: ArrayRef
    velocity_history: ArrayRef
    acceleration_history: ArrayRef
    command_history: ArrayRef
    history_valid: ArrayRef
    history_dt: float
    lidar: LidarHeader | None = None


class PlanHeader(msgspec.Struct, frozen=True):
    """`Plan` with its arrays elsewhere."""

    poses: ArrayRef
    dt: float
    vocabulary_index: int | None = None
    scores: ArrayRef | None = None
    log_probs: ArrayRef | None = None


class PlanRequest(msgspec.Struct, frozen=True, tag_field="kind", tag="plan_request"):
    """Asks for a plan.

    Attributes:
        request: number of the request, never repeated by one simulator.
        observation: what the ego sees.
        frame_sizes: bytes of each raw frame that follows.
    """

    request: int
    observation: ObservationHeader
    frame_sizes: tuple[int, ...]


class PlanReply(msgspec.Struct, frozen=True, tag_field="kind", tag="plan_reply"):
    """Answer to `PlanRequest`; same fields."""

    request: int
    plan: PlanHeader
    frame_sizes: tuple[int, ...]


class Finish(msgspec.Struct, frozen=True, tag_field="kind", tag="finish"):
    """Says that a rollout has ended; has no answer."""

    token: str


class Bye(msgspec.Struct, frozen=True, tag_field="kind", tag="bye"):
    """Says that the simulator leaves; has no answer."""


class Ping(msgspec.Struct, frozen=True, tag_field="kind", tag="ping"):
    """Asks for a sign of life; needs no `Hello` and is answered during inference too."""


class Pong(msgspec.Struct, frozen=True, tag_field="kind", tag="pong"):
    """Answer to `Ping`.

    Attributes:
        planner: name of the planner.
        simulators: how many are connected.
        waiting: requests not yet given to the planner.
        answered: requests answered since the start.
    """

    planner: str
    simulators: int
    waiting: int
    answered: int


class ErrorReply(msgspec.Struct, frozen=True, tag_field="kind", tag="error"):
    """Answer to anything that failed.

    Attributes:
        code: one of `ErrorCode`; a plain string here, since later versions may know more.
        text: for people.
        request: number of the plan request, if it was one.
    """

    code: str
    text: str
    request: int | None = None


Message = (
    Hello | Welcome | Attach | Attached | PlanRequest | PlanReply | Finish | Bye | Ping | Pong | ErrorReply
)
Buffer = bytes | bytearray | memoryview

_DECODER = msgspec.msgpack.Decoder(Message)


def pack(message: Message, frames: Sequence[Buffer] = ()) -> list[Buffer]:
    """Return the frames of a message: header, then raw frames."""
    return [msgspec.msgpack.encode(message), *frames]


def unpack(frames: Sequence[Buffer]) -> tuple[Message, list[memoryview]]:
    """Return a message and its raw frames.

    Raises:
        BridgeError: not a message of this protocol.
    """
    if not frames or len(frames[0]) > MAX_HEADER_BYTES:
        raise BridgeError(
            f"a message of {len(frames)} frames has no header of 1 to {MAX_HEADER_BYTES} bytes: "
            "something that is not this bridge dialled this address"
        )
    try:
        message = _DECODER.decode(frames[0])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BridgeError(
            f"a message header cannot be decoded ({error}): the two sides run different versions"
        ) from error
    raw = [memoryview(frame) for frame in frames[1:]]
    if raw and not isinstance(message, PlanRequest | PlanReply):
        raise BridgeError(f"a {type(message).__name__} came with {len(raw)} raw frames, expected none")
    return message, raw
