"""The thread that owns a planner's sockets: it greets, checks, queues and answers.

It never runs the planner, so it stays responsive during inference.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import zmq

from simengine.bridge.arrays import FrameReader
from simengine.bridge.codec import decode_observation
from simengine.bridge.inbox import Inbox, Job
from simengine.bridge.messages import (
    PROTOCOL,
    Attach,
    Attached,
    Buffer,
    Bye,
    ErrorReply,
    Finish,
    Hello,
    Message,
    Ping,
    PlanRequest,
    Pong,
    Welcome,
    pack,
    unpack,
)
from simengine.bridge.sessions import Session, SessionBook
from simengine.bridge.shared_images import map_shared_images
from simengine.errors import BridgeError, SimEngineError

_LOG = logging.getLogger(__name__)
_POLL_MS = 500
_OUTBOX = "inproc://outbox"
_STOP = b"stop"
_SEND = b"send"


class Mailroom(threading.Thread):
    """Receives for an `Inbox` and sends what `Outbox` is given."""

    def __init__(
        self, context: zmq.Context, router: zmq.Socket, inbox: Inbox, welcome: Welcome, session_timeout: float
    ) -> None:
        super().__init__(name="bridge-mailroom", daemon=True)
        self._router = router
        self._inbox = inbox
        self._welcome = welcome
        self._sessions = SessionBook(session_timeout)
        self._answered = 0
        self._outgoing = context.socket(zmq.PAIR)
        self._outgoing.bind(_OUTBOX)

    def run(self) -> None:
        """Work until the outbox says stop."""
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._outgoing, zmq.POLLIN)
        try:
            while True:
                ready = dict(poller.poll(_POLL_MS))
                if self._outgoing in ready and not self._forward():
                    return
                if self._router in ready:
                    self._receive()
                self._expire()
        finally:
            self._outgoing.close(0)
            self._router.close(500)

    def _forward(self) -> bool:
        while True:
            try:
                kind, *frames = self._outgoing.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return True
            if kind.bytes == _STOP:
                return False
            self._answered += 1
            self._router.send_multipart(frames, copy=False)

    def _receive(self) -> None:
        for _ in range(64):  # then look at the outbox again
            try:
                identity, *frames = self._router.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            self._handle(identity.bytes, [frame.buffer for frame in frames])

    def _handle(self, identity: bytes, frames: Sequence[Buffer]) -> None:
        try:
            message, raw = unpack(frames)
        except BridgeError as error:
            self._reply(identity, ErrorReply("malformed", str(error)))
            return
        if isinstance(message, Hello):
            self._greet(identity, message)
            return
        if isinstance(message, Ping):
            pong = Pong(self._welcome.planner, len(self._sessions), len(self._inbox), self._answered)
            self._reply(identity, pong)
            return
        session = self._sessions.get(identity)
        if session is None:
            self._refuse_stranger(identity, message)
        elif isinstance(message, PlanRequest):
            self._queue(session, message, raw)
        elif isinstance(message, Attach):
            self._attach(session, message)
        elif isinstance(message, Finish):
            if self._sessions.release(session, message.token):
                self._inbox.forget({message.token})
        elif isinstance(message, Bye):
            self._close(identity)
        else:
            text = f"a planner does not expect a {type(message).__name__}: only planners send these"
            self._reply(identity, ErrorReply("malformed", text))

    def _greet(self, identity: bytes, hello: Hello) -> None:
        if hello.protocol != PROTOCOL:
            text = (
                f"the planner speaks bridge protocol {PROTOCOL}, the simulator speaks {hello.protocol}: "
                "install the same version on both sides"
            )
            self._reply(identity, ErrorReply("version", text))
            return
        for old in self._sessions.open(identity, hello.client):
            self._inbox.discard(old)
        self._reply(identity, self._welcome)

    def _refuse_stranger(self, identity: bytes, message: Message) -> None:
        if isinstance(message, PlanRequest | Attach):
            request = message.request if isinstance(message, PlanRequest) else None
            text = "the planner does not know this connection (it was restarted, or the simulator was silent too long)"
            self._reply(identity, ErrorReply("unknown_session", text, request))

    def _queue(self, session: Session, message: PlanRequest, raw: list[memoryview]) -> None:
        try:
            reader = FrameReader(raw, message.frame_sizes, session.images)
            observation = decode_observation(message.observation, reader)
        except SimEngineError as error:
            self._reply(session.identity, ErrorReply("bad_request", str(error), message.request))
            return
        if not self._sessions.claim(session, observation.token, observation.step):
            text = (
                f"rollout {observation.token} is being driven by another simulator: "
                "give rollouts that run at the same time different tokens"
            )
            self._reply(session.identity, ErrorReply("token_in_use", text, message.request))
            return
        self._inbox.put(Job(session.identity, message.request, observation))

    def _attach(self, session: Session, message: Attach) -> None:
        try:
            session.images = map_shared_images(message)
            refusal = None
        except (OSError, BridgeError) as error:
            refusal = str(error)
        self._reply(session.identity, Attached(message.name, refusal))

    def _expire(self) -> None:
        for identity in self._sessions.expired():
            _LOG.info("a simulator was silent too long and is forgotten")
            self._close(identity)

    def _close(self, identity: bytes) -> None:
        self._inbox.discard(identity)
        ended = self._sessions.close(identity)
        if ended:
            self._inbox.forget(ended)

    def _reply(self, identity: bytes, message: Message) -> None:
        self._router.send_multipart([identity, *pack(message)])


class Outbox:
    """The planning thread's end: what it sends, the mailroom delivers."""

    def __init__(self, context: zmq.Context) -> None:
        self._socket = context.socket(zmq.PAIR)
        self._socket.connect(_OUTBOX)

    def send(self, identity: bytes, frames: list[Buffer]) -> None:
        """Deliver an answer; one for somebody who has left is dropped."""
        self._socket.send_multipart([_SEND, identity, *frames])

    def stop(self) -> None:
        """Ask the mailroom to deliver what it has and end."""
        self._socket.send_multipart([_STOP])
        self._socket.close(500)
