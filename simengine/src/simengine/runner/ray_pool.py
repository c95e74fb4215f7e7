"""Runs scenarios on a pool of Ray actors, on this machine or on the cluster that RAY_ADDRESS names."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import ray

from simengine.errors import ConfigError, SimEngineError
from simengine.metrics.row import ScoreRow
from simengine.runner.dispatch import DispatchOptions, Event, dispatch
from simengine.runner.handle import Handle
from simengine.runner.worker import Worker

_CONNECT_S = 10.0
_GOODBYE_S = 10.0
_LOOK_AROUND_S = 5.0


@dataclass(frozen=True)
class Share:
    """What each actor reserves of a node.

    Attributes:
        gpus: of graphics cards; a fraction lets several actors share one. 0 hides them from the actor.
        cpus: of cores.
    """

    gpus: float = 0.0
    cpus: float = 1.0


class _Actor:
    """Holds one worker; built inside the actor process, so nothing heavy is shipped."""

    def build(self, build: Callable[[], Worker], folder: str) -> None:
        """Build the worker; a method, because Ray hides what goes wrong in a constructor.

        `folder` is where the driver runs: relative paths of the configuration mean the same here as there.
        """
        Path(folder).mkdir(parents=True, exist_ok=True)
        os.chdir(folder)
        self._worker = build()

    def run(self, handle: Handle, following: Handle | None) -> ScoreRow:
        """Return the row of one scenario."""
        return self._worker.run(handle, following)

    def close(self) -> None:
        """Release the worker."""
        self._worker.close()


class _Actors:
    """A crew of actors; each has one call under way, or is idle."""

    def __init__(self, build: Callable[[], Worker], share: Share) -> None:
        # Actors are replaced here and not by Ray, so that a scenario that kills them cannot do so for ever.
        remote = ray.remote(max_restarts=0, num_cpus=share.cpus, num_gpus=share.gpus)(_Actor)
        self._remote = remote.options(scheduling_strategy="SPREAD")
        self._build, self._share = build, share
        self._actors: set[ray.actor.ActorHandle] = set()
        self._calls: dict[ray.ObjectRef, ray.actor.ActorHandle] = {}

    def hire(self) -> ray.actor.ActorHandle:
        actor = self._remote.remote()
        self._actors.add(actor)
        self._calls[actor.build.remote(self._build, os.getcwd())] = actor
        return actor

    def give(self, member: ray.actor.ActorHandle, handle: Handle, following: Handle | None) -> None:
        self._calls[member.run.remote(handle, following)] = member

    def wait(self) -> Event:
        done: list[ray.ObjectRef] = []
        while not done:
            done, _ = ray.wait(list(self._calls), num_returns=1, timeout=_LOOK_AROUND_S)
            if not done:
                _require_room(self._share)
        actor = self._calls.pop(done[0])
        try:
            return Event(actor, ray.get(done[0]))
        except ray.exceptions.RayTaskError as error:
            cause = error.cause if isinstance(error.cause, SimEngineError) else error
            raise SimEngineError(str(cause)) from error
        except ray.exceptions.RayError as error:
            self._actors.discard(actor)
            ray.kill(actor)  # it may be out of reach rather than dead
            return Event(actor, lost=_in_one_line(error))

    def dismiss(self) -> None:
        """Let actors say goodbye to what they are connected to."""
        ray.wait(
            [actor.close.remote() for actor in self._actors],
            num_returns=len(self._actors),
            timeout=_GOODBYE_S,
        )

    def stop(self) -> None:
        """End every actor; a scenario under way leaves no row and is driven again by the next run."""
        for actor in self._actors:
            with suppress(ray.exceptions.RayError):  # the whole cluster may be gone
                ray.kill(actor)


def run_ray(
    handles: Sequence[Handle],
    build: Callable[[], Worker],
    num_workers: int | None = None,
    share: Share | None = None,
    options: DispatchOptions | None = None,
) -> Iterator[ScoreRow]:
    """Yield rows in order of completion from Ray actors, at most one per scenario.

    An actor that dies, alone or with its node, is replaced and its scenario is tried again, see `dispatch`. Actors for
    which there is no room at present are started as soon as there is; the others do not wait for them.

    Args:
        handles: what to run.
        build: makes a worker; called once in each actor.
        num_workers: number of actors; None for as many as the nodes have room for.
        share: what each actor reserves.
        options: how scenarios are handed out.

    Raises:
        ConfigError: RAY_ADDRESS cannot be reached, or no node has room for one actor.
        SimEngineError: a worker cannot be built, or actors die before they are ready.
    """
    share = share or Share()
    with _connected(num_workers, share):
        size = num_workers or num_places(share)
        _require_room(share)
        crew = _Actors(build, share)
        try:
            yield from dispatch(handles, crew, size, options)
            crew.dismiss()
        finally:
            crew.stop()


def num_places(share: Share) -> int:
    """Return how many actors the nodes that are alive have room for, were they empty."""
    return sum(places_of(node["Resources"], share) for node in ray.nodes() if node["Alive"])


def places_of(resources: dict[str, float], share: Share) -> int:
    """Return how many actors one node has room for; a share below one card comes from one card.

    Args:
        resources: `CPU` and `GPU` of the node; what is not there is 0.
        share: what each actor reserves.
    """
    places = math.inf
    if share.cpus > 0:
        places = _times(resources.get("CPU", 0.0), share.cpus)
    if share.gpus > 0:
        cards = resources.get("GPU", 0.0)
        places = min(places, cards * _times(1.0, share.gpus) if share.gpus < 1 else _times(cards, share.gpus))
    return int(places) if math.isfinite(places) else 1


def _times(whole: float, part: float) -> int:
    """Return how often `part` fits, forgiving the rounding of a share such as 0.1 or 0.3333."""
    return math.floor(whole / part + 1e-3)


@contextmanager
def _connected(num_workers: int | None, share: Share) -> Iterator[None]:
    """Use the cluster this process is connected to, or that of RAY_ADDRESS, or a passing one of this machine."""
    if ray.is_initialized():
        yield
        return
    if address := os.environ.get("RAY_ADDRESS"):
        try:
            _require_listener(address)
            ray.init(log_to_driver=False)
        except (OSError, ValueError, RuntimeError) as error:
            raise ConfigError(
                f"RAY_ADDRESS is {address!r} and cannot be reached ({_in_one_line(error)}), expected a running "
                "cluster: start one with `ray start --head`, or unset RAY_ADDRESS to use this machine alone"
            ) from error
    else:
        # As many cores as the workers reserve, whatever the machine has: the user has asked for that many.
        cpus = None if num_workers is None else max(1, math.ceil(num_workers * share.cpus))
        ray.init(
            "local", include_dashboard=False, log_to_driver=False, configure_logging=False, num_cpus=cpus
        )
    try:
        yield
    finally:
        ray.shutdown()


def _require_listener(address: str) -> None:
    """Raise `OSError` if nobody listens at `host:port`; Ray itself would try for many minutes."""
    host, _, port = address.rpartition(":")
    if host and "/" not in address and port.isdigit():
        socket.create_connection((host, int(port)), _CONNECT_S).close()


def _require_room(share: Share) -> None:
    if num_places(share) == 0:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        have = "; ".join(f"{node.get('CPU', 0):g} CPU and {node.get('GPU', 0):g} GPU" for node in nodes)
        raise ConfigError(
            f"a worker reserves {share.cpus:g} CPU and {share.gpus:g} GPU but the nodes have {have or 'nothing'}, "
            "expected room for one: lower gpus_per_worker (0 renders on the processor)"
        )


def _in_one_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no reason given'}"
