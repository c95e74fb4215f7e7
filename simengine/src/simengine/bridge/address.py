"""Addresses of the bridge: `ipc://` on one host, `tcp://` between hosts."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simengine.errors import ConfigError

MAX_IPC_PATH_BYTES = 107


@dataclass(frozen=True)
class Address:
    """A checked address.

    Attributes:
        text: as given, with `localhost` as a number.
        socket_path: file of an `ipc://` address, else None.
        is_local: whether it can only be reached from the same host.
    """

    text: str
    socket_path: Path | None
    is_local: bool

    @property
    def is_ipv6(self) -> bool:
        """Whether the host is given as an IPv6 number."""
        return self.text.startswith("tcp://[")


def parse_address(text: str) -> Address:
    """Return the parts of an address.

    Raises:
        ConfigError: neither `ipc:///absolute/path` nor `tcp://host:port`, or a path that is too long.
    """
    scheme, _, rest = text.partition("://")
    if scheme == "ipc" and rest.startswith("/"):
        length = len(os.fsencode(rest))
        if length > MAX_IPC_PATH_BYTES:
            raise ConfigError(
                f"bridge address {text} has a path of {length} bytes, the system allows {MAX_IPC_PATH_BYTES}: "
                "choose a shorter directory, such as one below /tmp"
            )
        return Address(text, Path(rest), True)
    host, colon, port = rest.rpartition(":")
    if scheme == "tcp" and host and colon and (port == "*" or (port.isdigit() and int(port) < 65536)):
        if host == "localhost":  # sockets listen at numbers, not at names
            text, host = f"tcp://127.0.0.1:{port}", "127.0.0.1"
        return Address(text, None, _is_loopback(host.strip("[]")))
    raise ConfigError(
        f"bridge address {text!r} is not understood, expected ipc:///absolute/path or tcp://host:port"
    )


def require_encryption(address: Address, has_key: bool) -> None:
    """Raise `ConfigError` if an address is open to other hosts and no CURVE key is given."""
    if not address.is_local and not has_key:
        raise ConfigError(
            f"bridge address {address.text} can be reached from other hosts and no CURVE key is given: "
            "make keys with simengine.bridge.curve.make_key_files, or use ipc:// or tcp://127.0.0.1"
        )


def default_ipc_address(name: str = "planner") -> str:
    """Return a new `ipc://` address in a directory that only this user can enter.

    The directory stays until `remove_ipc_directory`.
    """
    for parent in (None, "/tmp"):
        directory = tempfile.mkdtemp(prefix="simengine-", dir=parent)
        path = os.path.join(directory, f"{name}.sock")
        if len(os.fsencode(path)) <= MAX_IPC_PATH_BYTES:
            return f"ipc://{path}"
        os.rmdir(directory)
    raise ConfigError(
        f"no directory has a path short enough for a socket named {name}: choose a shorter name"
    )


def remove_ipc_directory(address: str) -> None:
    """Remove the directory that `default_ipc_address` made; any other directory is left alone."""
    path = parse_address(address).socket_path
    if path is not None and path.parent.name.startswith("simengine-"):
        shutil.rmtree(path.parent, ignore_errors=True)


@contextmanager
def private_ipc_address(name: str = "planner") -> Iterator[str]:
    """Give a `default_ipc_address` whose directory is removed at the end."""
    address = default_ipc_address(name)
    try:
        yield address
    finally:
        remove_ipc_directory(address)


def prepare_socket_path(path: Path) -> None:
    """Make room for a listening socket: remove what a killed planner left, never a living one.

    Raises:
        ConfigError: the directory is missing, the path is no socket, or a planner listens there.
    """
    if not path.parent.is_dir():
        raise ConfigError(
            f"bridge address ipc://{path}: directory {path.parent} does not exist, create it first"
        )
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigError(
            f"bridge address ipc://{path} is an existing file and no socket: choose another path"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise ConfigError(
                f"bridge address ipc://{path} cannot be examined ({error}): remove the file"
            ) from error
    raise ConfigError(
        f"another planner already listens at ipc://{path}: stop it, or give this one another address"
    )


def remove_socket_file(path: Path, inode: int) -> None:
    """Remove the socket file at `path` if it is still the one with `inode`."""
    try:
        if path.lstat().st_ino == inode:
            path.unlink()
    except FileNotFoundError:
        return


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
