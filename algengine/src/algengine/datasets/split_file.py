"""Splits as NAVSIM scene filters: a YAML mapping with `log_names` and `tokens`."""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from simengine.errors import ScenarioFormatError
from simengine.files.atomic import write_atomically
from simengine.scenario.splits import INDEX_NAME, load_index

_SUFFIXES = (".gz", ".yaml", ".yml")


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):
    """Quotes tokens such as 12345678901234e5, which Hydra would read as numbers."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[0-9]+[eE][0-9]+$"), list("0123456789")
)


@dataclass(frozen=True)
class SplitFile:
    """A split.

    Attributes:
        prefix: its name, with which names of parts of it begin.
        content: every key of the file but the tokens.
        tokens: scenario ids in the order of the file.
    """

    prefix: str
    content: dict[str, object]
    tokens: tuple[str, ...]


def read_split(path: Path) -> SplitFile:
    """Return the split in a YAML file (also gzipped) or in a folder with our `index.json`.

    Raises:
        ScenarioFormatError: it cannot be read or holds no list of tokens.
    """
    path = Path(path)
    if path.is_dir() or path.name == INDEX_NAME:
        return _indexed(path if path.is_dir() else path.parent)
    try:
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        # Read twice: a token or drive that is all digits must stay text, null and numbers must not become it.
        content, texts = _load(text, "SafeLoader"), _load(text, "BaseLoader")
    except OSError as error:
        reason = error.strerror or error
        raise ScenarioFormatError(
            f"{path} cannot be read ({reason}), expected a split: check the path"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError, EOFError, ValueError) as error:
        raise ScenarioFormatError(
            f"{path} is no YAML ({' '.join(str(error).split())}), expected a NAVSIM scene filter: check the path"
        ) from None
    tokens = texts.get("tokens") if isinstance(texts, dict) else None
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise ScenarioFormatError(
            f"{path} holds no list `tokens`, expected a NAVSIM scene filter that names its tokens"
        )
    if isinstance(texts.get("log_names"), list):
        content["log_names"] = texts["log_names"]
    content.pop("tokens")
    return SplitFile(prefix_of(path), content, tuple(tokens))


def write_split(path: Path, base: SplitFile, tokens: Sequence[str]) -> None:
    """Write `base` with other tokens, in the original's layout: keys sorted, one token per line."""
    content = {**base.content, "tokens": list(tokens)}
    write_atomically(path, yaml.dump(content, Dumper=_Dumper, default_flow_style=False).encode())


def prefix_of(path: Path) -> str:
    """Return the name of a split file without folder and endings."""
    name = path.name
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def _load(text: bytes, loader: str) -> dict:
    return yaml.load(text, Loader=getattr(yaml, f"C{loader}", getattr(yaml, loader)))


def _indexed(folder: Path) -> SplitFile:
    entries = load_index(folder).entries
    logs = sorted({entry.log for entry in entries})
    return SplitFile(folder.resolve().name, {"log_names": logs}, tuple(entry.token for entry in entries))
