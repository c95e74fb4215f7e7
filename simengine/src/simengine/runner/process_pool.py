"""Runs scenarios in several processes of this machine, without Ray."""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from simengine.child_process import follow_parent, interrupts_ignored
from simengine.errors import SimEngineError
from simengine.metrics.row import ScoreRow
from simengine.runner.dispatch import DispatchOptions, Event, dispatch
from simengine.runner.handle import Handle
from simengine.runner.worker import Worker

_GOODBYE_S = 10.0


@dataclass(frozen=True)
class _Trouble:
    """Why a process cannot work: one sentence for the user, or the traceback of a bug."""

    text: str
    is_bug: bool


def _work(connection: Connection, build: Callable[[], Worker]) -> None:
    """Be a worker process: report to be ready with None, then answer what `give` sends with rows until None comes."""
    follow_parent()
    try:
        worker = build()
        connection.send(None)
        while (given := connection.recv()) is not None:
            connection.send(worker.run(*given))
        worker.close()
    except SimEngineError as error:
        connection.send(_Trouble(str(error), is_bug=False))
    except Exception:  # noqa: BLE001  the parent raises it
        connection.send(_Trouble(traceback.format_exc(), is_bug=True))


class _Processes:
    """A crew of processes; a member is the connection to it."""

    def __init__(self, build: Callable[[], Worker]) -> None:
        # Forked children would inherit sockets, threads and a CUDA context that do not survive a fork.
        self._context = multiprocessing.get_context("spawn")
        self._build = build
        self._processes: dict[Connection, BaseProcess] = {}

    def hire(self) -> Connection:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, self._build))
        with interrupts_ignored():
            process.start()
        theirs.close()  # so that the death of the process is the end of the file
        self._processes[ours] = process
        return ours

    def give(self, member: Connection, handle: Handle, following: Handle | None) -> None:
        self._send(member, (handle, following))

    def _send(self, member: Connection, given: tuple[Handle, Handle | None] | None) -> None:
        with suppress(OSError):  # it is dead: `wait` finds the end of the file
            member.send(given)

    def wait(self) -> Event:
        member = next(item for item in wait(list(self._processes)) if isinstance(item, Connection))
        try:
            news = member.recv()
        except (EOFError, OSError):
            return Event(member, lost=self._bury(member))
        if isinstance(news, _Trouble):
            raise (
                RuntimeError(f"a worker process failed:\n{news.text}")
                if news.is_bug
                else SimEngineError(news.text)
            )
        return Event(member, news)

    def _bury(self, member: Connection) -> str:
        """Forget a process that has closed its end; return how it died."""
        process = self._processes.pop(member)
        member.close()
        process.join(_GOODBYE_S)
        code = process.exitcode
        if code == -signal.SIGKILL:
            return "the process was killed (SIGKILL), as happens when memory runs out"
        return f"the process ended with exit code {code}"

    def dismiss(self) -> None:
        """Let idle processes say goodbye to what they are connected to."""
        for member in self._processes:
            self._send(member, None)
        for process in self._processes.values():
            process.join(_GOODBYE_S)

    def stop(self) -> None:
        """End every process; a scenario under way leaves no row and is driven again by the next run."""
        for process in self._processes.values():
            process.terminate()
        for member, process in self._processes.items():
            process.join(_GOODBYE_S)
            if process.is_alive():
                process.kill()
                process.join()
            member.close()


def run_processes(
    handles: Sequence[Handle],
    build: Callable[[], Worker],
    num_workers: int,
    options: DispatchOptions | None = None,
) -> Iterator[ScoreRow]:
    """Yield rows in order of completion from `num_workers` processes, at most one per scenario.

    A process that dies is replaced and its scenario is tried again, see `dispatch`.

    Raises:
        SimEngineError: a worker cannot be built, or processes die before they are ready.
    """
    crew = _Processes(build)
    try:
        yield from dispatch(handles, crew, num_workers, options)
        crew.dismiss()
    finally:
        crew.stop()
