"""Addresses: which are understood, which are safe, and stale socket files."""

from __future__ import annotations

import socket
import stat
import tempfile
from pathlib import Path

import pytest

from simengine.bridge.address import (
    MAX_IPC_PATH_BYTES,
    default_ipc_address,
    parse_address,
    prepare_socket_path,
    private_ipc_address,
    remove_ipc_directory,
    require_encryption,
)
from simengine.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("ipc:///tmp/planner.sock", True),
        ("tcp://127.0.0.1:5555", True),
        ("tcp://127.8.9.1:*", True),
        ("tcp://localhost:5555", True),
        ("tcp://[::1]:5555", True),
        ("tcp://*:5555", False),
        ("tcp://0.0.0.0:5555", False),
        ("tcp://10.0.0.3:5555", False),
        ("tcp://gpu-box:5555", False),
        ("tcp://127.0.0.1.example.org:5555", False),
    ],
)
def test_addresses(text: str, local: bool) -> None:
    address = parse_address(text)
    assert address.is_local == local
    assert address.text == text.replace("localhost", "127.0.0.1")
    require_encryption(address, has_key=True)
    if not local:
        with pytest.raises(ConfigError, match="CURVE"):
            require_encryption(address, has_key=False)


@pytest.mark.parametrize(
    "text",
    [
        "", "planner", "/tmp/x.sock", "ipc://relative.sock", "ipc://@abstract", "ipc://*", "inproc://x", "udp://h:1",
        "tcp://host", "tcp://:5555", "tcp://host:port", "tcp://host:99999", "ipc:///" + "x" * MAX_IPC_PATH_BYTES,
    ],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_address(text)


def test_the_default_address_is_private_and_removed() -> None:
    with private_ipc_address() as address:
        directory = parse_address(address).socket_path.parent
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        with private_ipc_address() as another:
            assert another != address
    assert not directory.exists()


def test_a_long_temporary_directory_falls_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    address = default_ipc_address()
    assert len(address.removeprefix("ipc://")) <= MAX_IPC_PATH_BYTES
    assert list(deep.iterdir()) == []
    remove_ipc_directory(address)
    with pytest.raises(ConfigError, match="shorter name"):
        default_ipc_address("n" * 200)


def test_foreign_directories_are_not_removed(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        remove_ipc_directory(f"ipc://{directory}/x.sock")
        assert Path(directory).exists()


def test_stale_and_living_sockets(address: str) -> None:
    path = parse_address(address).socket_path
    prepare_socket_path(path)  # nothing there
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    with pytest.raises(ConfigError, match="another planner"):
        prepare_socket_path(path)
    listener.close()
    prepare_socket_path(path)
    assert not path.exists()
    path.write_text("precious")
    with pytest.raises(ConfigError, match="no socket"):
        prepare_socket_path(path)
    assert path.read_text() == "precious"
    with pytest.raises(ConfigError, match="does not exist"):
        prepare_socket_path(path.parent / "missing" / "x.sock")
