"""Arrays in raw frames: lossless, and never read beyond what was sent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from simengine.bridge.arrays import IN_SHARED_MEMORY, SMALL_ARRAY_BYTES, ArrayRef, FrameReader, FrameWriter
from simengine.errors import BridgeError

DTYPES = [bool, "i1", "u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8"]


def send(*arrays: np.ndarray, shared: np.ndarray | None = None) -> list[np.ndarray]:
    writer = FrameWriter()
    refs = [writer.add("a", array) for array in arrays]
    frames = [memoryview(bytes(frame)) for frame in writer.frames()]
    reader = FrameReader(frames, [frame.nbytes for frame in frames], shared)
    return [reader.read("a", ref) for ref in refs]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        hnp.arrays(
            st.sampled_from(DTYPES).map(np.dtype),
            hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=7),
        ),
        max_size=4,
    )
)
def test_any_arrays_come_back_bit_for_bit(arrays: list[np.ndarray]) -> None:
    for sent, got in zip(arrays, send(*arrays), strict=True):
        assert got.dtype == sent.dtype and got.shape == sent.shape
        assert got.tobytes() == sent.tobytes()  # NaN payloads too
        assert not got.flags.writeable and got.flags.aligned


@pytest.mark.parametrize("large", [False, True])
def test_non_contiguous_arrays(large: bool) -> None:
    base = np.arange(2 * 3 * 5 * (4000 if large else 4), dtype=np.float32).reshape(2, 3, 5, -1)
    for view in (base.T, base[:, ::-1], base[:, :, ::2, ::3], np.asfortranarray(base)):
        (got,) = send(view)
        np.testing.assert_array_equal(got, view)


def test_large_arrays_are_not_copied() -> None:
    image = np.zeros((64, 1024, 3), np.uint8)
    writer = FrameWriter()
    writer.add("image", image)
    image[:] = 7
    assert bytes(writer.frames()[1]) == image.tobytes()
    assert image.nbytes > SMALL_ARRAY_BYTES


@pytest.mark.parametrize(
    "array",
    [
        np.array([object()], dtype=object),
        np.array(["text"]),
        np.zeros(2, ">f8"),
        np.zeros(2, complex),
        np.zeros(2, "M8[us]"),
        np.zeros(2, [("a", "i4")]),
        np.zeros((1,) * 9),
        [1.0, 2.0],
    ],
)
def test_what_cannot_be_carried_is_refused(array: object) -> None:
    with pytest.raises(BridgeError, match="image"):
        FrameWriter().add("image", array)


@pytest.mark.parametrize(
    "ref",
    [
        ArrayRef("|O", (1,), 0, 0),
        ArrayRef("|S9", (1,), 0, 0),
        ArrayRef("<f8", (3,), 0, 0),  # 24 bytes of 16
        ArrayRef("<f8", (2,), 0, 8),
        ArrayRef("<f8", (1,), 0, -8),
        ArrayRef("<f8", (1,), 1, 0),
        ArrayRef("<f8", (1,), -2, 0),
        ArrayRef("<f8", (1,), IN_SHARED_MEMORY, 0),
        ArrayRef("<f8", (-1,), 0, 0),
        ArrayRef("<f8", (2**62, 4), 0, 0),
        ArrayRef("<f8", (0, 2**62), 0, 0),
        ArrayRef("|u1", (1,) * 9, 0, 0),
    ],
)
def test_refs_that_point_elsewhere_are_refused(ref: ArrayRef) -> None:
    with pytest.raises(BridgeError):
        FrameReader([memoryview(bytes(16))], [16]).read("a", ref)


@pytest.mark.parametrize("sizes", [[], [15], [16, 1], [17]])
def test_frames_that_differ_from_the_header_are_refused(sizes: list[int]) -> None:
    with pytest.raises(BridgeError, match="truncated"):
        FrameReader([memoryview(bytes(16))], sizes)


def test_reading_shared_memory() -> None:
    shared = np.arange(32, dtype=np.uint8)
    got = FrameReader([], [], shared).read("a", ArrayRef("<u2", (2, 2), IN_SHARED_MEMORY, 8))
    assert got.tobytes() == bytes(range(8, 16))
    assert got.base is not None
    shared[8] = 99
    assert got[0, 0] & 0xFF == 99  # a view, not a copy
