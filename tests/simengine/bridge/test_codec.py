"""Observations and plans survive the wire without loss."""

from __future__ import annotations

import contextlib
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bridge_factories import make_camera, make_observation, plans_equal
from simengine.bridge.arrays import FrameReader
from simengine.bridge.codec import decode_observation, decode_plan, pack_reply, pack_request
from simengine.bridge.messages import PlanReply, PlanRequest, unpack
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.errors import BridgeError, PlanError, SimEngineError

FLOATS = st.floats(-1e6, 1e6)


def send_observation(observation: Observation) -> Observation:
    message, raw = unpack([bytes(frame) for frame in pack_request(7, observation)])
    assert isinstance(message, PlanRequest) and message.request == 7
    return decode_observation(message.observation, FrameReader(raw, message.frame_sizes))


def send_plan(plan: Plan) -> Plan:
    message, raw = unpack([bytes(frame) for frame in pack_reply(7, plan)])
    assert isinstance(message, PlanReply) and message.request == 7
    return decode_plan(message.plan, FrameReader(raw, message.frame_sizes))


def assert_same(a: object, b: object) -> None:
    assert type(a) is type(b)
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, tuple):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_same(one, other)
    elif hasattr(a, "__dataclass_fields__"):
        for field in fields(a):
            assert_same(getattr(a, field.name), getattr(b, field.name))
    else:
        assert a == b


@settings(max_examples=40, deadline=None)
@given(
    token=st.text(max_size=20),
    step=st.integers(0, 2**40),
    images=st.dictionaries(
        st.text(max_size=8),
        hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=9)),
        max_size=3,
    ),
    history=st.integers(0, 5),
    dt=st.floats(1e-3, 10),
)
def test_observation_round_trip(
    token: str, step: int, images: dict[str, np.ndarray], history: int, dt: float
) -> None:
    observation = make_observation(
        token=token,
        step=step,
        images=images,
        ego_history=np.ones((history, 3)),
        history_valid=np.zeros(history, bool),
        history_dt=dt,
    )
    observation = replace(observation, cameras=tuple(make_camera(name) for name in images))
    assert_same(observation, send_observation(observation))


def test_observation_without_cameras_and_with_sliced_images() -> None:
    assert_same(make_observation(cameras=0), send_observation(make_observation(cameras=0)))
    image = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    views = {
        "flipped": image[:, :, ::-1],
        "cropped": image[10:200:2, 5:300],
        "turned": image.transpose(1, 0, 2),
    }
    got = send_observation(make_observation(images=views))
    for name, view in views.items():
        np.testing.assert_array_equal(got.images[name], view)


def test_numpy_scalars_are_sent_as_numbers() -> None:
    observation = make_observation(step=np.int64(3), timestamp_us=np.int64(5), history_dt=np.float32(0.5))
    got = send_observation(observation)
    assert (got.step, got.timestamp_us, got.history_dt) == (3, 5, 0.5)
    assert send_plan(Plan(np.ones((1, 3)), np.float64(0.1), np.int32(4))).vocabulary_index == 4


@settings(max_examples=40, deadline=None)
@given(
    poses=hnp.arrays(np.float64, st.tuples(st.integers(1, 60), st.just(3)), elements=FLOATS),
    dt=st.floats(1e-3, 10),
    index=st.none() | st.integers(0, 8191),
    scores=st.none() | hnp.arrays(np.float32, st.integers(0, 50)),
    log_probs=st.none() | hnp.arrays(np.float64, st.integers(0, 50)),
)
def test_plan_round_trip(
    poses: np.ndarray,
    dt: float,
    index: int | None,
    scores: np.ndarray | None,
    log_probs: np.ndarray | None,
) -> None:
    plan = Plan(poses, dt, index, scores, log_probs)
    assert plans_equal(plan, send_plan(plan))


def test_plan_over_a_whole_vocabulary() -> None:
    plan = Plan(np.ones((40, 3)), 0.1, 5, np.linspace(0, 1, 8192), np.linspace(-9, 0, 8192, dtype=np.float32))
    assert plans_equal(plan, send_plan(plan))


def test_a_plan_that_is_not_finite_is_refused_on_arrival() -> None:
    frames = pack_reply(1, Plan(np.ones((2, 3)), 0.1))
    message, raw = unpack(frames)
    raw[0] = memoryview(np.full(6, np.nan).tobytes())
    with pytest.raises(PlanError, match="NaN"):
        decode_plan(message.plan, FrameReader(raw, message.frame_sizes))


def test_a_field_that_is_no_array_is_named() -> None:
    with pytest.raises(BridgeError, match="ego_pose is a list"):
        pack_request(1, make_observation(ego_pose=[0.0, 0.0, 0.0]))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_requests_raise_nothing_unexpected(data: st.DataObject) -> None:
    frames = [bytearray(frame) for frame in pack_request(1, make_observation())]
    for _ in range(data.draw(st.integers(1, 4))):
        frame = frames[data.draw(st.integers(0, len(frames) - 1))]
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(SimEngineError):
        message, raw = unpack(frames)
        assert isinstance(message, PlanRequest)
        decode_observation(message.observation, FrameReader(raw, message.frame_sizes))
