"""The web server of the viewer: the port it takes, and how to reach it from another machine."""

from __future__ import annotations

import contextlib
import getpass
import io
import socket
from typing import TYPE_CHECKING

from simengine.errors import ConfigError

if TYPE_CHECKING:
    from viser import ViserServer


def open_server(host: str, port: int) -> ViserServer:
    """Return a running viser server without any content.

    Args:
        host: name or address to listen at.
        port: 0 for any free one.

    Raises:
        ConfigError: viser is not installed, or nothing can listen there.
    """
    try:
        import viser
    except ImportError as error:
        raise ConfigError(
            f"the viewer cannot import {error.name or error}, expected viser: pip install 'simengine[view]'"
        ) from error
    _check_free(host, port)
    with _quiet():
        server = viser.ViserServer(host=host, port=port, label="simengine", verbose=False)
    if port not in (0, server.get_port()):
        taken = server.get_port()
        close_server(server)
        raise ConfigError(f"port {port} was taken just now, expected a free one: use --port {taken}")
    return server


def close_server(server: ViserServer) -> None:
    """Stop a server and its threads."""
    with _quiet():
        server.stop()


def _quiet() -> contextlib.AbstractContextManager:
    # viser greets and says goodbye on the standard output, where our own lines go.
    return contextlib.redirect_stdout(io.StringIO())


def _check_free(host: str, port: int) -> None:
    # viser would silently take the next port, and the user would look at somebody else's page.
    if not 0 <= port <= 65535:
        raise ConfigError(f"--port is {port}, expected 0 to 65535")
    try:
        family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, number) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as error:
        raise ConfigError(
            f"--host is {host!r}, which is no address of this machine ({error.strerror}): use localhost or 0.0.0.0"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"nothing can listen at {host}:{port} ({error.strerror}), expected a free port: "
            "choose another one with --port, or 0 for any"
        ) from None


def directions(host: str, port: int) -> list[str]:
    """Return the lines that tell the user where to look, here and over SSH."""
    local = "localhost" if host in ("0.0.0.0", "::", "127.0.0.1") else host
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "USER"
    return [
        f"open http://{local}:{port}",
        f"over SSH, first run on your own machine: ssh -L {port}:{local}:{port} {user}@{socket.gethostname()}",
        "Ctrl-C ends the viewer",
    ]
