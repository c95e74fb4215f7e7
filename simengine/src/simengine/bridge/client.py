"""A simulator's connection to a planner behind a socket."""

from __future__ import annotations

import logging
import time
import uuid

import zmq

from simengine.bridge.address import parse_address, require_encryption
from simengine.bridge.arrays import FrameReader
from simengine.bridge.codec import decode_plan, pack_request
from simengine.bridge.connection import Connection, PlannerLostError
from simengine.bridge.curve import require_key
from simengine.bridge.deadline import Deadline
from simengine.bridge.messages import (
    PROTOCOL,
    Attached,
    Bye,
    ErrorReply,
    Finish,
    Hello,
    Ping,
    PlanReply,
    Pong,
    Welcome,
    pack,
)
from simengine.bridge.shared_images import SharedImages
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.errors import (
    BridgeError,
    ConfigError,
    PlannerTimeoutError,
    RemotePlannerError,
    VersionMismatchError,
)

_LOG = logging.getLogger(__name__)
_REDIAL_PAUSE_S = 0.1
_GOODBYE_S = 0.2


class PlannerClient:
    """A `PlannerConnection` over a socket; one for each worker, used from one thread.

    It dials at the first use. Every wait has a deadline. A planner that is lost is dialled again with
    a fresh socket and asked again. If another instance answers, what the planner remembered of the rollout
    is gone: a rollout that has begun fails then, because its rest would not be what it claims to be.
    """

    def __init__(
        self,
        address: str,
        connect_timeout: float = 30.0,
        plan_timeout: float = 60.0,
        retries: int = 1,
        server_key: str | None = None,
        shared_images: bool = True,
        heartbeat_timeout: float = 2.0,
        redial_timeout: float | None = None,
    ) -> None:
        """Remember how to dial.

        Args:
            address: where the planner listens.
            connect_timeout: longest wait for a planner to greet at first, its loading included [s].
            plan_timeout: longest wait for one answer [s]; slow inference must fit.
            retries: how many more times a request is made after the planner was lost.
            server_key: the planner's public CURVE key; required for other hosts.
            shared_images: use shared memory for images where the planner is on this host.
            heartbeat_timeout: silence after which a planner's process or host counts as dead [s].
            redial_timeout: longest wait for a planner that was there before (default: `connect_timeout`) [s].

        Raises:
            ConfigError: the address or a number makes no sense.
        """
        self._address = parse_address(address)
        require_encryption(self._address, server_key is not None)
        if min(connect_timeout, plan_timeout, heartbeat_timeout, redial_timeout or 1.0) <= 0 or retries < 0:
            raise ConfigError(
                f"bridge timeouts are {connect_timeout}, {plan_timeout} and {heartbeat_timeout} s with {retries} "
                "retries, expected seconds > 0 and retries >= 0"
            )
        self._connect_timeout = connect_timeout
        self._plan_timeout = plan_timeout
        self._retries = retries
        self._server_key = None if server_key is None else require_key(server_key, "server_key")
        self._shared_images = shared_images
        self._heartbeat_timeout = heartbeat_timeout
        self._redial_timeout = connect_timeout if redial_timeout is None else redial_timeout
        self._rollout = ("", "")
        self._client = uuid.uuid4().hex
        self._context: zmq.Context | None = None
        self._connection: Connection | None = None
        self._welcome: Welcome | None = None
        self._request = 0

    @property
    def planner_name(self) -> str | None:
        """Name of the planner, once it has greeted."""
        return None if self._welcome is None else self._welcome.planner

    @property
    def planner_metadata(self) -> dict[str, str]:
        """What the planner told about itself, once it has greeted."""
        return {} if self._welcome is None else dict(self._welcome.metadata)

    @property
    def uses_shared_memory(self) -> bool:
        """Whether images go through shared memory at present."""
        return self._connection is not None and self._connection.images is not None

    def wait_until_ready(self, timeout: float | None = None) -> None:
        """Return as soon as the planner has greeted.

        Raises:
            PlannerTimeoutError: not within `timeout` seconds (default: `connect_timeout`).
            VersionMismatchError: it speaks another protocol version.
        """
        if self._connection is not None:
            try:
                self._connection.require_alive()
                return
            except PlannerLostError:
                self._hang_up()
        if timeout is None:
            timeout = self._connect_timeout if self._welcome is None else self._redial_timeout
        self._dial(timeout)

    def plan(self, observation: Observation) -> Plan:
        """Return the planner's plan.

        Raises:
            PlannerTimeoutError: the planner stays lost or silent.
            RemotePlannerError: the planner answered with an error of its own.
            VersionMismatchError: a planner of another protocol version listens.
            BridgeError: the conversation broke in another way.
        """
        started = time.monotonic()
        lost = ""
        for attempt in range(1 + self._retries):
            self.wait_until_ready()
            self._require_same_instance(observation)
            answered = False
            try:
                plan = self._ask(observation, Deadline(self._plan_timeout))
                answered = True
                return plan
            except RemotePlannerError:
                answered = True
                raise
            except PlannerLostError as error:
                lost = str(error)
                _LOG.warning("planner at %s lost (attempt %d): %s", self._address.text, attempt + 1, lost)
            finally:
                if not answered:  # also on Ctrl-C: an answer may still be under way
                    self._hang_up()
        raise PlannerTimeoutError(
            f"the planner at {self._address.text} gave no plan for {observation.token} step {observation.step} in "
            f"{1 + self._retries} attempts and {time.monotonic() - started:.1f} s (plan_timeout "
            f"{self._plan_timeout:g} s); last: {lost}: check that its process runs and what it printed, "
            "or raise plan_timeout if it is only slow"
        )

    def finish(self, token: str) -> None:
        """Tell the planner that the rollout `token` has ended; a lost planner needs no telling."""
        if self._connection is None:
            return
        try:
            self._connection.send(pack(Finish(token)), Deadline(self._heartbeat_timeout))
        except PlannerLostError:
            self._hang_up()

    def close(self) -> None:
        """End the conversation; closing twice is no error."""
        if self._connection is not None:
            try:
                self._connection.send(pack(Bye()), Deadline(_GOODBYE_S))
            except PlannerLostError as error:
                _LOG.debug("planner was gone before goodbye: %s", error)
            self._hang_up(_GOODBYE_S)
        if self._context is not None:
            self._context.destroy(0)
            self._context = None

    def __enter__(self) -> PlannerClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _require_same_instance(self, observation: Observation) -> None:
        """Raise if the rollout began with another planner process than the one that listens now."""
        instance = "" if self._welcome is None else self._welcome.instance
        if observation.step == 0 or self._rollout[0] != observation.token:
            self._rollout = (observation.token, instance)
        elif self._rollout[1] != instance:
            raise PlannerTimeoutError(
                f"the planner at {self._address.text} was lost before step {observation.step} of {observation.token} "
                "and another instance answers, which has not seen the rollout so far, expected one planner for a "
                "whole rollout: run the scenario again"
            )

    def _hang_up(self, linger: float = 0.0) -> None:
        if self._connection is not None:
            self._connection.close(linger)
            self._connection = None

    def _dial(self, timeout: float) -> None:
        """Dial with fresh sockets until one is greeted."""
        deadline = Deadline(timeout)
        if self._context is None:
            self._context = zmq.Context()
        lost = "nobody listens there"
        while not deadline.passed:
            connection = Connection(self._context, self._address, self._server_key, self._heartbeat_timeout)
            try:
                self._welcome = _greet(connection, self._client, deadline)
                self._connection = connection
                return
            except PlannerLostError as error:
                lost = str(error)
            finally:
                if self._connection is not connection:
                    connection.close()
            time.sleep(min(_REDIAL_PAUSE_S, deadline.remaining))
        raise PlannerTimeoutError(
            f"no planner greeted at {self._address.text} within {timeout:g} s (last: {lost}): check that its process "
            "runs and has finished loading, that both sides have the same address and key, or raise connect_timeout"
        )

    def _ask(self, observation: Observation, deadline: Deadline) -> Plan:
        connection = self._connection
        if connection is None:
            raise PlannerLostError("not connected")
        self._request += 1
        images = self._place_for(connection, observation, deadline)
        connection.send(pack_request(self._request, observation, images), deadline)
        while True:
            message, raw = connection.receive(deadline)
            if isinstance(message, PlanReply) and message.request == self._request:
                return decode_plan(message.plan, FrameReader(raw, message.frame_sizes))
            if isinstance(message, ErrorReply) and message.request in (self._request, None):
                _raise(message)
            # anything else answers an earlier request

    def _place_for(
        self, connection: Connection, observation: Observation, deadline: Deadline
    ) -> SharedImages | None:
        """Return shared memory that holds the images, or None to send them as raw frames."""
        size = SharedImages.size_for(observation.images)
        if size == 0 or not self._shared_images or connection.images_refused:
            return None
        if connection.images is None or connection.images.size < size:
            _attach(connection, size, deadline)
        return None if connection.images is None else connection.images.begin()


def ping(address: str, timeout: float = 2.0, server_key: str | None = None) -> Pong:
    """Return the sign of life of a planner, without joining it as a simulator.

    Raises:
        PlannerTimeoutError: none within `timeout` seconds.
    """
    parsed = parse_address(address)
    require_encryption(parsed, server_key is not None)
    deadline = Deadline(timeout)
    with zmq.Context() as context:
        connection = Connection(context, parsed, server_key, timeout)
        try:
            connection.send(pack(Ping()), deadline)
            while True:
                message, _ = connection.receive(deadline)
                if isinstance(message, Pong):
                    return message
        except PlannerLostError as error:
            raise PlannerTimeoutError(
                f"no planner at {address} gave a sign of life within {timeout:g} s ({error}): check that it runs"
            ) from error
        finally:
            connection.close()


def _greet(connection: Connection, client: str, deadline: Deadline) -> Welcome:
    connection.send(pack(Hello(PROTOCOL, client)), deadline)
    message, _ = connection.receive(deadline)
    if isinstance(message, ErrorReply):
        _raise(message)
    if not isinstance(message, Welcome):
        raise BridgeError(
            f"the planner greeted with a {type(message).__name__}, expected a Welcome: it is no planner"
        )
    if message.protocol != PROTOCOL:
        raise VersionMismatchError(
            f"the planner speaks bridge protocol {message.protocol}, this simulator speaks {PROTOCOL}: "
            "install the same version on both sides"
        )
    return message


def _attach(connection: Connection, size: int, deadline: Deadline) -> None:
    """Announce new shared memory of at least `size` bytes; where that fails, use raw frames from now on."""
    if connection.images is not None:
        connection.images.close()
        connection.images = None
    try:
        images = SharedImages(size)
    except (OSError, AttributeError) as error:  # AttributeError: a system without memory files
        _LOG.warning("no shared memory for images (%s), sending them through the socket", error)
        connection.images_refused = True
        return
    connection.send(pack(images.announcement()), deadline)
    while True:
        message, _ = connection.receive(deadline)
        if isinstance(message, ErrorReply):
            images.close()
            _raise(message)
        if isinstance(message, Attached) and message.name == images.name:
            break
    images.close_descriptor()
    if message.refusal is None:
        connection.images = images
        return
    _LOG.warning(
        "the planner cannot use shared memory (%s), sending images through the socket", message.refusal
    )
    images.close()
    connection.images_refused = True


def _raise(reply: ErrorReply) -> None:
    if reply.code == "unknown_session":
        raise PlannerLostError(reply.text)
    if reply.code == "version":
        raise VersionMismatchError(reply.text)
    if reply.code == "planner":
        raise RemotePlannerError(reply.text)
    raise BridgeError(f"the planner refused: {reply.text}")
