"""Messages: every kind survives, everything else is refused with one sentence."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simengine.bridge.messages import (
    PROTOCOL,
    Attach,
    Attached,
    Bye,
    ErrorReply,
    Finish,
    Hello,
    Ping,
    Pong,
    Welcome,
    pack,
    unpack,
)
from simengine.errors import BridgeError


@pytest.mark.parametrize(
    "message",
    [
        Hello(PROTOCOL, "me"),
        Welcome(PROTOCOL, "planner", {"checkpoint": "x"}),
        Attach("name", 1, 2, 3),
        Attached("name", "why"),
        Finish("token"),
        Bye(),
        Ping(),
        Pong("planner", 1, 2, 3),
        ErrorReply("planner", "text", 4),
    ],
)
def test_round_trip(message: object) -> None:
    assert unpack(pack(message)) == (message, [])


def test_a_later_hello_with_more_fields_is_still_understood() -> None:
    later = msgspec.msgpack.encode({"kind": "hello", "protocol": 9, "client": "me", "colour": "red"})
    assert unpack([later])[0] == Hello(9, "me")


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b""],
        [b"GET / HTTP/1.1"],
        [msgspec.msgpack.encode({"kind": "dance"})],
        [msgspec.msgpack.encode({"kind": "hello", "protocol": "one", "client": "me"})],
        [msgspec.msgpack.encode({"kind": "finish", "token": 3})],
        [b"\x81\xa4kind\xa6finis\xff"],
        [bytes(5 * 2**20)],
        [*pack(Ping()), b"extra"],
        [b"\x91" * 100_000],
    ],
)
def test_what_is_no_message_is_refused(frames: list[bytes]) -> None:
    with pytest.raises(BridgeError):
        unpack(frames)


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_random_bytes_never_raise_anything_else(frames: list[bytes]) -> None:
    with contextlib.suppress(BridgeError):
        unpack(frames)
