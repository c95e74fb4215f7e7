"""YAML as text only: tags are ignored, nothing is constructed, no token turns into a number."""

from __future__ import annotations

from pathlib import Path

from simengine.errors import ScenarioFormatError

_NONE = ("", "~", "null", "None")


def read_yaml(path: Path, kind: str) -> dict[str, object]:
    """Return a YAML mapping whose scalars are all strings.

    Sixteen digits in a row are a token, not a number; a `!!python/object` is read as the mapping it holds.

    Args:
        path: the file.
        kind: what it should be, for messages.

    Raises:
        ScenarioFormatError: it is missing, no YAML or no mapping.
    """
    import yaml

    path = Path(path)
    try:
        value = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    except OSError as error:
        raise ScenarioFormatError(
            f"{path}: cannot be read ({error.strerror or error}), expected a {kind}: check the path"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        detail = " ".join(str(error).split())
        raise ScenarioFormatError(f"{path}: no YAML ({detail}), expected a {kind}: write it again") from None
    if not isinstance(value, dict):
        raise ScenarioFormatError(
            f"{path}: holds a {type(value).__name__}, expected a {kind} with keys: check it"
        )
    return {str(key): item for key, item in value.items()}


def is_none(value: object) -> bool:
    """Return whether a value is missing or YAML's null."""
    return value is None or (isinstance(value, str) and value in _NONE)


def text_list(path: Path, key: str, value: object) -> tuple[str, ...] | None:
    """Return the texts in a list, None for null.

    Raises:
        ScenarioFormatError: it is no list of texts.
    """
    if is_none(value):
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ScenarioFormatError(
            f"{path}: {key} is a {type(value).__name__}, expected a list of names or null"
        )
    return tuple(value)


def whole_number(path: Path, key: str, value: object) -> int | None:
    """Return a whole number >= 0, None for null.

    Raises:
        ScenarioFormatError: it is something else.
    """
    if is_none(value):
        return None
    if not (isinstance(value, str) and value.strip().isdecimal()):
        raise ScenarioFormatError(f"{path}: {key} is {value!r}, expected a whole number or null")
    return int(value)


def flag(path: Path, key: str, value: object) -> bool:
    """Return a truth value.

    Raises:
        ScenarioFormatError: it is neither true nor false.
    """
    text = str(value).strip().lower()
    if text not in ("true", "false", "yes", "no", "on", "off"):
        raise ScenarioFormatError(f"{path}: {key} is {value!r}, expected true or false")
    return text in ("true", "yes", "on")
