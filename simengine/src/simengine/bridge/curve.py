"""CURVE keys: encryption and proof of identity for planners on other hosts.

The public key is never sent in the clear, and nobody can dial without it: give it only to simulators.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
import zmq
import zmq.utils.z85

from simengine.errors import ConfigError

KEY_LENGTH = 40


@dataclass(frozen=True)
class CurveKeys:
    """Key pair of a planner, each 40 characters of Z85.

    Attributes:
        public: for the simulators that may dial.
        secret: for the planner alone.
    """

    public: str
    secret: str

    def __repr__(self) -> str:
        return "CurveKeys(...)"  # keys do not belong in logs


def make_keys() -> CurveKeys:
    """Return a new random key pair."""
    public, secret = zmq.curve_keypair()
    return CurveKeys(public.decode("ascii"), secret.decode("ascii"))


def make_key_files(directory: Path, name: str = "planner") -> tuple[Path, Path]:
    """Write a new key pair and return the paths of the planner's file and the simulators' file.

    Both are readable by this user only. Existing files are not replaced.
    """
    keys = make_keys()
    secret_path, public_path = directory / f"{name}.secret.json", directory / f"{name}.public.json"
    directory.mkdir(parents=True, exist_ok=True)
    for path in (secret_path, public_path):
        if path.exists():
            raise ConfigError(f"key file {path} exists already: remove it first if nobody uses it any more")
    _write_private(secret_path, {"public": keys.public, "secret": keys.secret})
    _write_private(public_path, {"public": keys.public})
    return secret_path, public_path


def load_keys(path: Path) -> CurveKeys:
    """Return the planner's key pair from its file, which others must not be able to read."""
    content = _read(path)
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"key file {path} can be read by other users: run chmod 600 on it")
    return CurveKeys(_key(content, "public", path), _key(content, "secret", path))


def load_public_key(path: Path) -> str:
    """Return the planner's public key from either file."""
    return _key(_read(path), "public", path)


def require_key(text: str, what: str) -> str:
    """Return `text` if it is a CURVE key, else raise `ConfigError`."""
    try:
        valid = len(text) == KEY_LENGTH and len(zmq.utils.z85.decode(text.encode("ascii"))) == 32
    except (KeyError, ValueError, UnicodeEncodeError):
        valid = False
    if not valid:
        raise ConfigError(
            f"{what} is no CURVE key, expected {KEY_LENGTH} characters of Z85: make new key files"
        )
    return text


def _read(path: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except FileNotFoundError as error:
        raise ConfigError(f"key file {path} does not exist: make it with make_key_files") from error
    except msgspec.DecodeError as error:
        raise ConfigError(f"key file {path} cannot be read ({error}): make new key files") from error


def _key(content: dict[str, str], name: str, path: Path) -> str:
    if name not in content:
        raise ConfigError(f"key file {path} has no {name} key: the planner needs the .secret file")
    return require_key(content[name], f"{name} key in {path}")


def _write_private(path: Path, content: dict[str, str]) -> None:
    partial = path.with_name(path.name + ".partial")
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(msgspec.json.encode(content) + b"\n")
    partial.replace(path)
