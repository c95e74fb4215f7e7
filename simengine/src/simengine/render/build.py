"""Backends by name."""

from __future__ import annotations

from simengine.errors import ConfigError, RenderBackendError
from simengine.render.backend import RenderBackend
from simengine.render.cpu_backend import CpuBackend
from simengine.render.gsplat_backend import GsplatBackend

BACKEND_NAMES = ("cpu", "gsplat", "auto")


def make_backend(name: str = "auto", threads: int | None = None) -> RenderBackend:
    """Return the backend called `name`; `auto` takes gsplat where it works and the processor elsewhere.

    `threads` limits the processor backend; None lets it use all that numba may use.
    """
    if name == "cpu":
        return CpuBackend(threads)
    if name == "gsplat":
        return GsplatBackend()
    if name == "auto":
        try:
            return GsplatBackend()
        except RenderBackendError:
            return CpuBackend(threads)
    raise ConfigError(f"the render backend is {name!r}, expected one of {', '.join(BACKEND_NAMES)}")
