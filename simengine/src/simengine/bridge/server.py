"""A planner behind a socket, serving many simulators."""

from __future__ import annotations

import logging
import signal
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

import zmq

from simengine.bridge.address import (
    Address,
    parse_address,
    prepare_socket_path,
    remove_socket_file,
    require_encryption,
)
from simengine.bridge.batch import PlannerFault, forget_safely, plan_each
from simengine.bridge.codec import pack_reply
from simengine.bridge.curve import CurveKeys
from simengine.bridge.inbox import Inbox, Job
from simengine.bridge.mailroom import Mailroom, Outbox
from simengine.bridge.messages import PROTOCOL, Buffer, ErrorReply, Welcome, pack
from simengine.bridge.planner import Planner
from simengine.datatypes.plan import Plan
from simengine.errors import BridgeError, ConfigError

_LOG = logging.getLogger(__name__)
_STOP_CHECK_S = 0.1
_MAX_FRAME_BYTES = 2**31


class PlannerServer:
    """Listens at an address and answers simulators with the plans of one planner.

    The address is bound at once, so that errors show early; simulators are answered from
    `serve_forever` on, which runs the planner in the calling thread.
    """

    def __init__(
        self,
        planner: Planner,
        address: str,
        max_batch: int = 8,
        batch_window: float = 0.002,
        curve_keys: CurveKeys | None = None,
        metadata: Mapping[str, str] | None = None,
        session_timeout: float = 600.0,
    ) -> None:
        """Bind the address.

        Args:
            planner: answers the requests.
            address: `ipc:///path` or `tcp://host:port`; port `*` takes a free one, see `address`.
            max_batch: most observations given to the planner at once.
            batch_window: how long a first request waits for others [s].
            curve_keys: encrypts; required where other hosts can reach the address.
            metadata: told to every simulator, such as the checkpoint.
            session_timeout: silent time after which a simulator is forgotten [s].

        Raises:
            ConfigError: the address is malformed, taken or open to other hosts without keys.
        """
        if max_batch < 1 or batch_window < 0:
            raise ConfigError(
                f"max_batch is {max_batch} and batch_window {batch_window}, expected at least 1 and at least 0 s"
            )
        parsed = parse_address(address)
        require_encryption(parsed, curve_keys is not None)
        self._planner = planner
        self._max_batch = max_batch
        self._batch_window = batch_window
        self._inbox = Inbox()
        self._context = zmq.Context()
        self._closed = False
        try:
            router = _bind(self._context, parsed, curve_keys)
        except ConfigError:
            self._context.destroy(0)
            raise
        self.address = router.getsockopt_string(zmq.LAST_ENDPOINT)
        self._socket_path = parsed.socket_path
        self._inode = 0 if self._socket_path is None else self._socket_path.lstat().st_ino
        about = {str(k): str(v) for k, v in (metadata or {}).items()}
        welcome = Welcome(PROTOCOL, str(planner.name), about, instance=uuid.uuid4().hex)
        self._router = router
        self._mailroom = Mailroom(self._context, router, self._inbox, welcome, session_timeout)
        self._outbox = Outbox(self._context)

    def serve_forever(self, stop: threading.Event | None = None) -> None:
        """Answer requests until `stop` is set, or SIGINT or SIGTERM arrives; then close.

        The batch at work when a signal arrives is finished and answered; a second signal acts as if
        there were no server.
        """
        stop = stop or threading.Event()
        try:
            with _stopped_by_signals(stop):
                self._mailroom.start()
                while not stop.is_set():
                    self._serve_once()
        finally:
            self.close()

    def close(self) -> None:
        """Stop listening and free the address; closing twice is no error."""
        if self._closed:
            return
        self._closed = True
        if self._mailroom.is_alive():
            self._outbox.stop()
            self._mailroom.join(5.0)
        self._context.destroy(500)
        if self._socket_path is not None:
            remove_socket_file(self._socket_path, self._inode)

    def __enter__(self) -> PlannerServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve_once(self) -> None:
        if not self._mailroom.is_alive():
            raise BridgeError(
                f"the receiving thread of the planner at {self.address} ended: see its traceback above"
            )
        work = self._inbox.take(self._max_batch, self._batch_window, _STOP_CHECK_S)
        for token in work.forgotten:
            forget_safely(self._planner, token)
        if work.jobs:
            answers = plan_each(self._planner, [job.observation for job in work.jobs])
            for job, answer in zip(work.jobs, answers, strict=True):
                self._outbox.send(job.identity, self._pack_answer(job, answer))

    def _pack_answer(self, job: Job, answer: Plan | PlannerFault) -> list[Buffer]:
        if isinstance(answer, Plan):
            try:
                return pack_reply(job.request, answer)
            except BridgeError as error:
                answer = PlannerFault(str(error), error)
        token, step = job.observation.token, job.observation.step
        _LOG.error("planner %s failed on %s step %d", self._planner.name, token, step, exc_info=answer.cause)
        text = f"planner {self._planner.name} failed on {token} step {step}: {answer.text}"
        return pack(ErrorReply("planner", text, job.request))


def _bind(context: zmq.Context, address: Address, keys: CurveKeys | None) -> zmq.Socket:
    if address.socket_path is not None:
        prepare_socket_path(address.socket_path)
    router = context.socket(zmq.ROUTER)
    router.setsockopt(zmq.LINGER, 0)
    router.setsockopt(zmq.MAXMSGSIZE, _MAX_FRAME_BYTES)
    router.setsockopt(zmq.IPV6, address.is_ipv6)
    router.setsockopt(zmq.TCP_KEEPALIVE, 1)
    if keys is not None:
        router.curve_server = True
        router.curve_secretkey = keys.secret.encode("ascii")
        router.curve_publickey = keys.public.encode("ascii")
    try:
        router.bind(address.text)
    except zmq.ZMQError as error:
        raise ConfigError(
            f"the planner cannot listen at {address.text} ({error}): stop what uses it, or choose another address"
        ) from error
    return router


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM set `stop`; only the main thread can hear signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def on_signal(number: int, _frame: FrameType | None) -> None:
        _LOG.info("planner stops on %s", signal.Signals(number).name)
        stop.set()
        restore()

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield
    finally:
        restore()
