"""What of the data that a config needs is there, and what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from algengine.datasets.bev_labels import labels_path
from algengine.datasets.futures import find_recordings
from algengine.datasets.map_label_files import map_labels_path
from algengine.datasets.object_labels import objects_path
from algengine.datasets.openscene.check_images import missing_images
from algengine.datasets.openscene.frame import Frame
from algengine.datasets.openscene.images import decode
from algengine.datasets.openscene.info_file import read_frames
from algengine.datasets.openscene.items import SimulatedOptions
from algengine.datasets.openscene.places import located
from algengine.datasets.openscene.scores import open_scores
from algengine.datasets.openscene.selection import union_of_splits
from algengine.datasets.openscene.sequences import FrameSequences
from algengine.datasets.openscene.synthetic import SyntheticData
from algengine.datasets.split_file import read_split
from algengine.datasets.vocabulary import load_vocabulary
from simengine.errors import SimEngineError

SETS = ("train_dataloader", "val_dataloader", "test_dataloader")

_BESIDE = {
    "label_grid": ("label rasters", labels_path),
    "map_grid": ("map labels", map_labels_path),
    "objects": ("object labels", objects_path),
}
"""What `algengine labels` makes of recordings, by the key of the data set that needs it."""


@dataclass(frozen=True)
class CheckRow:
    """One kind of thing of one data set.

    Attributes:
        part: `train`, `val`, ...
        what: kind of thing.
        path: where it is looked for.
        found: how many are there.
        total: how many there should be; None where any number will do.
        needed: whether work stops without it.
        note: first examples of what is missing, or why nothing can be said.
    """

    part: str
    what: str
    path: str
    found: int
    total: int | None
    needed: bool = True
    note: str = ""

    @property
    def good(self) -> bool:
        """Whether everything is there."""
        return self.found > 0 if self.total is None else self.found == self.total

    @property
    def verdict(self) -> str:
        """`ok`, `missing` or, for what can be done without, `absent`."""
        return "ok" if self.good else "missing" if self.needed else "absent"


class DataCheck:
    """Looks at everything a config names; what is broken becomes a row, never an error.

    Args:
        root: what relative paths are relative to; None for the present folder or `WORLDENGINE_ROOT`.
        examples: how many missing things to name.
    """

    def __init__(self, root: str | Path | None = None, examples: int = 3) -> None:
        self._root, self._examples = root, examples

    def config(self, config: Mapping) -> list[CheckRow]:
        """Return the rows of all data sets of a config, its vocabulary and the weights it starts from."""
        head = config.get("model", {}).get("head", {})
        needs_scores = bool(head.get("sub_scores"))
        rows: list[CheckRow] = []
        for name in SETS:
            data = (config.get(name) or {}).get("dataset")
            if data:
                part = name.removesuffix("_dataloader")
                rows += self.dataset(part, data, needs_scores and part == "train")
        if config.get("vocabulary") and head:
            path = located(config["vocabulary"], self._root)
            rows += self._guarded("all", "vocabulary", path, lambda: self._vocabulary(path, head))
        if config.get("load_from"):
            path = located(config["load_from"], self._root)
            rows.append(CheckRow("train", "initial weights", str(path), int(path.is_file()), 1))
        return rows

    def dataset(self, part: str, options: Mapping, needs_scores: bool = False) -> list[CheckRow]:
        """Return the rows of one data set."""
        if options.get("type", "").split(".")[-1] == "RecordingDataset":
            path = located(options["root"], self._root)
            return self._guarded(part, "recordings", path, lambda: self._recorded(part, path, options))
        path = located(options["ann_file"], self._root)
        rows = self._guarded(part, "info file", path, lambda: self._logged(part, path, options, needs_scores))
        if options.get("simulated"):
            rows += self._simulated(part, SimulatedOptions(**options["simulated"]), options)
        return rows

    def _recorded(self, part: str, root: Path, options: Mapping) -> list[CheckRow]:
        logs = {log.stem: log for log in find_recordings(root)}
        rows = [CheckRow(part, "recordings", str(root), len(logs), None)]
        for key, (what, place) in _BESIDE.items():
            if options.get(key) is not None:
                there = [token for token, log in logs.items() if place(log).is_file()]
                rows.append(self._row(part, what, place(root / "_.npz").parent, list(logs), there))
        return rows

    def _logged(self, part: str, path: Path, options: Mapping, needs_scores: bool) -> list[CheckRow]:
        split = located(options["nav_filter_path"], self._root) if options.get("nav_filter_path") else None
        rows: list[CheckRow] = []
        tokens: Sequence[str] | None = None
        logs = None
        if split is not None:
            try:
                read = read_split(split)
                tokens, logs = read.tokens, read.content.get("log_names")
                rows.append(CheckRow(part, "tokens in split", str(split), len(tokens), None))
            except SimEngineError as error:
                rows.append(CheckRow(part, "split", str(split), 0, None, note=str(error)))
        try:
            frames = list(read_frames(path, logs or None))
        except SimEngineError as error:
            rows.append(CheckRow(part, "info file", str(path), 0, None, note=str(error)))
            return rows + self._places(part, options, needs_scores)
        count = len({frame.log_name for frame in frames})
        rows.append(CheckRow(part, "frames", str(path), len(frames), None, note=f"{count} logs"))
        sequences = FrameSequences(frames)
        wanted = list(dict.fromkeys(tokens)) if tokens is not None else [frame.token for frame in frames]
        there = [token for token in wanted if token in sequences]
        rows.append(self._row(part, "tokens with a frame", path, wanted, set(there)))
        length = int(options.get("queue_length", 4))
        queues = {token: sequences.until(sequences[token], length) for token in there}
        full = {token for token, queue in queues.items() if len(queue) == length}
        rows.append(self._row(part, f"tokens with {length} frames", path, there, full, needed=False))
        if options.get("pdm_path"):
            cache = located(options["pdm_path"], self._root)
            rows += self._guarded(
                part, "scores", cache, lambda: [self._scores(part, cache, there, needs_scores)], needs_scores
            )
        root = located(options["img_root"], self._root)
        seen = {frame.token: frame for queue in queues.values() for frame in queue}
        return rows + self._images(part, root, list(seen.values()), options)

    def _places(self, part: str, options: Mapping, needs_scores: bool) -> list[CheckRow]:
        """Rows that can be had without frames: whether files and folders exist."""
        root = located(options["img_root"], self._root)
        rows = [CheckRow(part, "image folder", str(root), int(root.is_dir()), 1)]
        if options.get("pdm_path"):
            cache = located(options["pdm_path"], self._root)
            rows.append(CheckRow(part, "score cache", str(cache), int(cache.exists()), 1, needs_scores))
        return rows

    def _scores(self, part: str, path: Path, tokens: Sequence[str], needed: bool) -> CheckRow:
        scores = open_scores(path, tokens)
        return self._row(part, "tokens with scores", path, tokens, {t for t in tokens if t in scores}, needed)

    def _images(self, part: str, root: Path, frames: Sequence[Frame], options: Mapping) -> list[CheckRow]:
        cameras = options.get("cameras") or ()
        count, missing = missing_images(root, frames, cameras)
        note = ", ".join(missing[: self._examples])
        rows = [CheckRow(part, "images", str(root), count - len(missing), count, note=note)]
        names = {camera.name for frame in frames for camera in frame.cameras}
        rows.append(self._row(part, "cameras", root, list(cameras), names))
        if frames and count > len(missing):
            rows += self._guarded(
                part, "first image decodes", root, lambda: self._decodes(part, root, frames)
            )
        return rows if cameras else [rows[0], *rows[2:]]

    def _decodes(self, part: str, root: Path, frames: Sequence[Frame]) -> list[CheckRow]:
        frame = next(f for f in frames if (root / f.images[0]).is_file())
        found = decode(root / frame.images[0], frame.token, root, (16, 9))
        note = "x".join(map(str, found.stored_size)) + " px"
        return [CheckRow(part, "first image decodes", str(root / frame.images[0]), 1, 1, note=note)]

    def _simulated(self, part: str, options: SimulatedOptions, data: Mapping) -> list[CheckRow]:
        rows: list[CheckRow] = []
        base = located(options.data_root, self._root)
        for name in options.folders:
            rows += self._guarded(
                part,
                f"simulated {name}",
                base,
                lambda name=name: self._drives(part, base, name, options, data),
            )
        return rows

    def _drives(
        self, part: str, base: Path, name: str, options: SimulatedOptions, data: Mapping
    ) -> list[CheckRow]:
        drives = SyntheticData(base, name)
        listed = (options.finetune_yaml,) if isinstance(options.finetune_yaml, str) else options.finetune_yaml
        tokens = union_of_splits([str(located(path, self._root)) for path in listed if path])
        chosen = drives.select(tokens, options.customized_filter, options.decision_frames)
        decisions = [f for f in drives.frames if f.index >= 3 and not f.invalid]
        rewarded = {f.token for f in decisions if drives.has_rewards(f)}
        infos = str(drives.folder.infos)
        return [
            CheckRow(part, "simulated frames", infos, len(drives.frames), None),
            self._row(part, "rewards", drives.folder.rewards, [f.token for f in decisions], rewarded),
            CheckRow(part, "simulated samples", infos, len(chosen), None),
            *self._images(part, drives.folder.images, drives.frames, data),
        ]

    def _vocabulary(self, path: Path, head: Mapping) -> list[CheckRow]:
        plans = len(load_vocabulary(path))
        return [CheckRow("all", "plans in vocabulary", str(path), plans, head.get("vocabulary_size"))]

    def _row(
        self,
        part: str,
        what: str,
        path: object,
        wanted: Sequence[str],
        there: Iterable[str],
        needed: bool = True,
    ) -> CheckRow:
        known = set(there)
        missing = [name for name in wanted if name not in known]
        note = ", ".join(missing[: self._examples])
        return CheckRow(part, what, str(path), len(wanted) - len(missing), len(wanted), needed, note)

    @staticmethod
    def _guarded(
        part: str, what: str, path: object, rows: Callable[[], list[CheckRow]], needed: bool = True
    ) -> list[CheckRow]:
        try:
            return rows()
        except SimEngineError as error:
            return [CheckRow(part, what, str(path), 0, None, needed, str(error))]
