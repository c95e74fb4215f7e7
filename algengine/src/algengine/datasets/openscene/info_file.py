"""Info files: pickled lists of frames, of one log, of many, or of all of them in one file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from algengine.datasets.openscene.frame import Frame, FrameParser
from algengine.errors import RecordingError
from simengine.scenario.restricted_pickle import load_pickle

COMBINED = "combined.pkl"


def info_files(path: Path, logs: Collection[str] | None = None) -> list[Path]:
    """Return the files at `path`: itself, `combined.pkl` in it, or its `<log>.pkl`.

    Args:
        path: a file, or a folder of them.
        logs: leave out the files of other logs.

    Raises:
        RecordingError: there is none.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if (path / COMBINED).is_file():
        return [path / COMBINED]
    files = sorted(path.glob("[!.]*.pkl")) if path.is_dir() else []
    if not files:
        found = "holds no *.pkl" if path.is_dir() else "does not exist"
        raise RecordingError(
            f"the info file {path} {found}, expected a pickled list of OpenScene frames: point ann_file at a merged "
            "file, or at meta_datas/<split> of OpenScene"
        )
    wanted = files if logs is None else [file for file in files if file.stem in set(logs)]
    if not wanted:
        raise RecordingError(
            f"{path} has {len(files)} logs, but none of the {len(logs or ())} logs of the split: point ann_file at the "
            "other part of OpenScene"
        )
    return wanted


def read_infos(path: Path) -> list[Mapping]:
    """Return the info dictionaries in one file, a list or `{"infos": list}`.

    Raises:
        ScenarioFormatError: it cannot be read, or asks for more than plain data.
        RecordingError: it holds no list of frames.
    """
    value = load_pickle(path)
    infos = value.get("infos") if isinstance(value, Mapping) else value
    if not isinstance(infos, list) or not all(isinstance(info, Mapping) for info in infos):
        raise RecordingError(
            f"{path}: holds a {type(value).__name__}, expected a list of OpenScene frames, or infos with one: this is "
            "no info file"
        )
    return infos


def read_frames(path: Path, logs: Collection[str] | None = None, objects: bool = False) -> Iterator[Frame]:
    """Yield the frames of all files at `path`, see `info_files`; one file at a time is held in memory.

    With `objects` frames keep those around the ego, see `FrameParser`.
    """
    for file in info_files(path, logs):
        parser = FrameParser(file, objects)
        for info in read_infos(file):
            yield parser.frame(info)
