"""Maps of a frozen encoder, made once per recording: what reads them then trains in a fraction of the time.

With the key `map_cache` a training whose backbone, neck and encoder are frozen first encodes the drives of its
datasets, each from `variants` displaced ego frames too if its clips are to be displaced, and reads maps instead of
images from then on. Heads so see maps as they are at the wheel, with the memory of the whole drive. Colours of images
do not change any more.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config

from algengine import registry
from algengine.datasets.perturb import Perturbation
from algengine.datasets.recorded_maps import FORMAT, VERSION
from algengine.datasets.recording_files import RecordingFiles
from algengine.engine.distributed import meeting, ranks
from algengine.engine.weights import add_tensors, load_checkpoint
from algengine.planners.bev_model import SENSES, BEVModel
from algengine.planners.encode_log import encode_displaced
from simengine.datatypes.observation_log import ObservationLog
from simengine.errors import ConfigError
from simengine.progress import progress_bar

DTYPES = ("float32", "float16")
_LOADERS = ("train_dataloader", "val_dataloader")
_WITHOUT_LABELS = dict.fromkeys(("label_grid", "map_grid", "objects", "sub_scores"))
"""Of a dataset that is asked for its recordings only, nothing else needs to be read."""


class MapCache:
    """Maps of recordings, made on demand.

    Args:
        root: folder of the folders of maps.
        model: whose encoder is frozen, on `device`.
        cameras: channels in the model's order.
        perturbation: how far ego frames are displaced, if they are.
        variants: displaced ego frames per recording.
        dtype: of the maps: `float32`, or `float16` for half the size.
        device: where to compute.

    Raises:
        ConfigError: there is no such dtype, or fewer than no variants.
    """

    def __init__(
        self,
        root: Path,
        model: BEVModel,
        cameras: tuple[str, ...],
        perturbation: Perturbation,
        variants: int = 0,
        dtype: str = "float16",
        device: torch.device | str = "cpu",
    ) -> None:
        if dtype not in DTYPES:
            raise ConfigError(f"map_cache.dtype is {dtype!r}, expected one of {', '.join(DTYPES)}")
        if variants < 0:
            raise ConfigError(f"map_cache.variants is {variants}, expected 0 or more")
        self._model, self._cameras, self._device = model.eval(), cameras, torch.device(device)
        self._dtype, self._variants = dtype, variants
        self._perturbation = replace(perturbation, probability=1.0)
        self.folder = Path(root) / self._key()
        self._files = RecordingFiles(self.folder, FORMAT, VERSION)

    def fill(self, recordings: list[Path]) -> int:
        """Make what is missing with a progress bar; return how many files were made. Interrupted, it goes on later.

        The processes of a distributed training share the work; all return when everything is there.
        """
        rank, processes = ranks()
        meet = meeting()
        mine = recordings[rank::processes]
        with progress_bar("maps of the frozen encoder", len(mine), shown=rank == 0) as step:
            made = self._files.fill(mine, self._make, lambda _: step())
        meet()
        return made

    def shifts(self, token: str) -> np.ndarray:
        """Return the ego frames (V, 3) from which a recording is seen, the real one first."""
        drawn = [np.zeros(3)]
        for variant in range(self._variants):
            rng = np.random.default_rng([zlib.crc32(token.encode()), variant])
            drawn.append(self._perturbation.draw(rng, math.inf))
        return np.stack(drawn)

    def _make(self, recording: Path) -> dict[str, np.ndarray]:
        log = ObservationLog.load(recording)
        shifts = self.shifts(log.token)
        with self._model.precision(self._device):
            maps = encode_displaced(self._model, log, self._cameras, shifts, self._device)
        return {"shifts": shifts, "maps": maps.numpy().astype(self._dtype)}

    def _key(self) -> str:
        """Return a hash of all that decides what the maps of a recording are."""
        digest = hashlib.sha256()
        for name in (*SENSES, "data_preprocessor"):
            part = self._model.get_submodule(name)
            digest.update(repr(part).encode())
            add_tensors(digest, [*part.named_parameters(), *part.named_buffers()])
        model, moved = self._model, self._perturbation
        facts = [VERSION, self._cameras, model.image_size, model.compat, self._dtype]
        facts += [self._variants, moved.lateral, moved.yaw] if self._variants else []
        digest.update(json.dumps(facts).encode())
        return digest.hexdigest()[:16]


def use_map_cache(config: Config, device: torch.device) -> None:
    """Fill the cache of the key `map_cache` and let the datasets of the config read it, in place.

    Nothing happens without a `root`, or where a part of what sees is not frozen.

    Args:
        config: of a training, with the weights to begin from in `load_from`.
        device: where to compute.

    Raises:
        ConfigError: the datasets are none of recordings, or there are no weights.
        CheckpointError: the weights cannot be read.
    """
    options = dict(config.get("map_cache") or {})
    root = options.pop("root", "")
    if not root or not set(SENSES) <= set(config.model.get("frozen", ())):
        return
    if not config.get("load_from"):
        raise ConfigError(
            "map_cache.root is set and the encoder is frozen but load_from names no weights of it: give those of a "
            "trained planner, or let all learn with --cfg-options model.frozen=()"
        )
    model = registry.MODELS.build(config.model.to_dict() | {"init_cfg": None})
    model.load_state_dict(load_checkpoint(Path(config.load_from))["state_dict"], strict=False)
    model.to(device)
    for name in _LOADERS:
        if config.get(name):
            _read_maps(config[name].dataset, Path(root), model, device, options)


def _read_maps(
    dataset: MutableMapping, root: Path, model: BEVModel, device: torch.device, options: dict
) -> None:
    """Fill the cache for the config of a dataset and name it there."""
    if dataset["type"] != "RecordingDataset":
        raise ConfigError(
            f"map_cache.root is set but a dataset is {dataset['type']}, expected RecordingDataset: train it with "
            "--cfg-options map_cache.root="
        )
    recorded = registry.DATASETS.build(dict(dataset) | _WITHOUT_LABELS)
    displaced = recorded.perturbation.probability > 0
    variants = options.get("variants", 0) if displaced else 0
    cache = MapCache(
        root,
        model,
        recorded.cameras,
        recorded.perturbation,
        **options | {"variants": variants, "device": device},
    )
    cache.fill(recorded.paths)
    dataset["encoded"] = str(cache.folder)
