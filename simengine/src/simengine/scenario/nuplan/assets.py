"""Asset configs of the reconstructed worlds: which tokens have one, and with which camera calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from simengine.errors import ScenarioFormatError
from simengine.scenario.nuplan.yaml_text import read_yaml, text_list
from simengine.scenario.restricted_pickle import load_pickle

_VIDEOS = "video_scene_dict.pkl"


@dataclass(frozen=True)
class Asset:
    """A reconstructed place.

    Attributes:
        id: its name, `road_block_name`.
        log_name: the log it was made from.
        tokens: the moments for which it was made.
        folder: where its files lie.
    """

    id: str
    log_name: str
    tokens: tuple[str, ...]
    folder: Path

    def video(self) -> Mapping:
        """Return the recorded video: the one of `log_name`, else the first.

        Raises:
            ScenarioFormatError: the file is missing, no safe pickle, or holds no video.
        """
        path = self.folder / _VIDEOS
        videos = load_pickle(path)
        found = list(videos.values()) if isinstance(videos, Mapping) else []
        if not found or not all(isinstance(x, Mapping) and x.get("frame_infos") for x in found):
            raise ScenarioFormatError(
                f"{path}: holds no videos, expected a dict of videos with frame_infos: make the asset again"
            )
        return next((video for video in found if video.get("log_name") == self.log_name), found[0])


def read_assets(root: Path) -> tuple[list[Asset], list[tuple[str, str]]]:
    """Return the assets that `configs/*.yaml` below `root` list, and what could not be read, with the reason.

    The configs are tagged with Python classes of the programs that wrote them; the tags are ignored.

    Raises:
        ScenarioFormatError: there are no configs.
    """
    files = sorted((root / "configs").glob("*.yaml"))
    if not files:
        raise ScenarioFormatError(
            f"{root}: has no configs/*.yaml, expected an asset folder: check the path or leave it out"
        )
    assets, skipped = [], []
    for path in files:
        try:
            assets.append(_read_asset(path, root))
        except ScenarioFormatError as error:
            skipped.append((str(path), str(error)))
    return assets, skipped


def _read_asset(path: Path, root: Path) -> Asset:
    raw = read_yaml(path, "asset config")
    tokens = text_list(path, "central_tokens", raw.get("central_tokens"))
    name, log = raw.get("road_block_name"), raw.get("central_log")
    if not (isinstance(name, str) and isinstance(log, str) and name and log and tokens):
        raise ScenarioFormatError(
            f"{path}: lacks road_block_name, central_log or central_tokens, expected the config of an asset "
            "made around tokens: leave it out"
        )
    if Path(name).name != name:
        raise ScenarioFormatError(f"{path}: road_block_name is {name!r}, expected a plain name")
    return Asset(name, log, tokens, root / "assets" / name)
