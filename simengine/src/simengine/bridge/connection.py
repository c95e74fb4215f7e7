"""One dialled socket of a simulator, thrown away as soon as anything goes wrong with it."""

from __future__ import annotations

from collections.abc import Sequence

import zmq
from zmq.utils.monitor import recv_monitor_message

from simengine.bridge.address import Address
from simengine.bridge.deadline import Deadline
from simengine.bridge.messages import Buffer, Message, unpack
from simengine.bridge.shared_images import SharedImages

_LOSS_EVENTS = {
    zmq.EVENT_DISCONNECTED: "the connection broke (the planner ended, was killed or cannot be reached)",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "the planner refused the connection (wrong CURVE key?)",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "the planner refused the connection (one side has a CURVE key, one has not?)",
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "the planner refused the CURVE key",
}
_HEARTBEAT_INTERVAL_S = 0.5


class PlannerLostError(Exception):
    """This connection is of no more use; another one may be. Never leaves the bridge."""


class Connection:
    """A DEALER socket, and a monitor that tells at once when its peer is gone.

    The signs of life behind the monitor come from the messaging library's own thread on either side:
    neither a long inference nor a held interpreter lock looks like a death.
    """

    def __init__(
        self, context: zmq.Context, address: Address, server_key: str | None, heartbeat_timeout: float
    ) -> None:
        """Start dialling; it goes on in the background until `close`."""
        self.images: SharedImages | None = None
        self.images_refused = not address.is_local
        self._socket = context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.IPV6, address.is_ipv6)
        self._socket.setsockopt(zmq.RECONNECT_IVL, 50)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
        self._socket.setsockopt(
            zmq.HEARTBEAT_IVL, round(1000 * min(_HEARTBEAT_INTERVAL_S, heartbeat_timeout / 2))
        )
        self._socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, round(1000 * heartbeat_timeout))
        if server_key is not None:
            self._socket.curve_serverkey = server_key.encode("ascii")
            self._socket.curve_publickey, self._socket.curve_secretkey = zmq.curve_keypair()
        events = sum(_LOSS_EVENTS)  # distinct bits
        self._monitor = self._socket.get_monitor_socket(events)
        self._poller = zmq.Poller()
        self._poller.register(self._monitor, zmq.POLLIN)
        self._poller.register(self._socket, zmq.POLLIN)
        self._socket.connect(address.text)

    def send(self, frames: Sequence[Buffer], deadline: Deadline) -> None:
        """Send one message; raises `PlannerLostError` if that is not possible before the deadline."""
        self.require_alive()
        try:
            if self._socket.poll(deadline.remaining_ms, zmq.POLLOUT):
                self._socket.send_multipart(frames, zmq.NOBLOCK, copy=False)
                return
        except zmq.Again:
            self.require_alive()  # the peer went between asking and sending, and may have said why
        raise PlannerLostError("it takes no more messages")

    def receive(self, deadline: Deadline) -> tuple[Message, list[memoryview]]:
        """Return the next message and its raw frames.

        Raises:
            PlannerLostError: none came before the deadline, or the peer is gone.
            BridgeError: what came is no message.
        """
        ready = dict(self._poller.poll(deadline.remaining_ms))
        if self._socket in ready:  # an answer counts even if the peer has gone since
            frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            return unpack([frame.buffer for frame in frames])
        self.require_alive()
        raise PlannerLostError("no answer before the deadline")

    def require_alive(self) -> None:
        """Raise `PlannerLostError` if the peer is known to be gone."""
        if self._monitor.poll(0):
            event = recv_monitor_message(self._monitor, zmq.NOBLOCK)["event"]
            raise PlannerLostError(_LOSS_EVENTS.get(event, "the connection broke"))

    def close(self, linger: float = 0.0) -> None:
        """Hang up, giving what was sent `linger` seconds to leave."""
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close(round(1000 * linger))
        if self.images is not None:
            self.images.close()
            self.images = None
