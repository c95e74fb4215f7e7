"""What a log says about each frame and a flat scenario cannot hold, kept beside it for exports.

One gzipped JSON file `frames/<token>.json.gz` for each scenario of a split.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from pathlib import Path

from simengine.errors import ScenarioFormatError
from simengine.files.atomic import write_atomically

FRAMES_FOLDER = "frames"
FRAMES_FORMAT = "simengine-nuplan-frames"
FRAMES_VERSION = 1


def save_frames(split: Path, token: str, facts: Mapping) -> Path:
    """Write the facts of a scenario below its split directory and return the file.

    Args:
        split: the split directory.
        token: of the scenario.
        facts: JSON values: `log`, `scene`, `frames` (one for each frame) and `asset`.
    """
    body = {"format": FRAMES_FORMAT, "version": FRAMES_VERSION, "token": token, **facts}
    path = Path(split) / FRAMES_FOLDER / f"{token}.json.gz"
    # No time stamp in the file, so that equal facts are equal bytes.
    write_atomically(path, gzip.compress(json.dumps(body, separators=(",", ":")).encode(), mtime=0))
    return path


def load_frames(split: Path, token: str) -> dict:
    """Return the facts of a scenario.

    Raises:
        ScenarioFormatError: the file is missing, damaged or of another version.
    """
    path = Path(split) / FRAMES_FOLDER / f"{token}.json.gz"
    try:
        body = json.loads(gzip.decompress(path.read_bytes()))
        found = (body.get("format"), body.get("version"))
    except OSError as error:
        raise ScenarioFormatError(
            f"{path}: cannot be read ({error.strerror or error}), expected frames of a nuPlan scenario: convert again"
        ) from None
    except (ValueError, EOFError, zlib.error, AttributeError) as error:
        raise ScenarioFormatError(
            f"{path}: damaged ({type(error).__name__}: {error}), expected gzipped JSON: convert it again"
        ) from None
    if found != (FRAMES_FORMAT, FRAMES_VERSION):
        raise ScenarioFormatError(
            f"{path}: format {found[0]!r} version {found[1]!r}, expected {FRAMES_FORMAT!r} version {FRAMES_VERSION}: "
            "convert it again"
        )
    return body
