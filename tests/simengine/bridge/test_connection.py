"""A connection whose peer goes away at the worst moment."""

import pytest
import zmq

from simengine.bridge.address import parse_address
from simengine.bridge.connection import Connection, PlannerLostError
from simengine.bridge.deadline import Deadline


class GoneBetween:
    """A socket that takes messages when asked, and none a moment later."""

    def __init__(self, socket: zmq.Socket) -> None:
        self._socket = socket

    def poll(self, timeout, flags):
        return flags

    def send_multipart(self, *arguments, **named):
        raise zmq.Again

    def __getattr__(self, name):
        return getattr(self._socket, name)


def test_a_peer_that_goes_between_asking_and_sending_is_lost(tmp_path):
    with zmq.Context() as context:
        connection = Connection(context, parse_address(f"ipc://{tmp_path}/nobody.sock"), None, 5.0)
        connection._socket = GoneBetween(connection._socket)
        with pytest.raises(PlannerLostError, match="no more messages"):
            connection.send([b"hello"], Deadline(1.0))
        connection.close()
