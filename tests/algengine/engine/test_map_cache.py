import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from alg_factories import CAMERAS, make_vocabulary, tiny_model_config, write_recordings
from algengine import registry
from algengine.datasets.collate import planning_collate
from algengine.datasets.perturb import Perturbation
from algengine.datasets.recordings import RecordingDataset
from algengine.datasets.vocabulary import save_vocabulary
from algengine.engine.configs import load_config
from algengine.engine.map_cache import MapCache, use_map_cache
from algengine.engine.train import train
from algengine.engine.weights import load_checkpoint
from algengine.planners.bev_model import SENSES
from simengine.errors import ConfigError
from training_factories import ALONE

pytestmark = pytest.mark.mm
DECISIONS = 11
CLIP = 4  # as long as a drive with a future: such a clip has the memory of the whole drive


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("run")
    write_recordings(root / "observations", 4, decisions=DECISIONS)
    save_vocabulary(make_vocabulary(12), root / "plans.npy")
    return root


@pytest.fixture(scope="module")
def start(folder) -> Path:
    """Weights to begin from."""
    torch.manual_seed(1)
    path = folder / "start.pth"
    torch.save({"state_dict": make_model().state_dict()}, path)
    return path


def make_model():
    return registry.MODELS.build(tiny_model_config(12)).eval()


def make_dataset(folder: Path, **options) -> RecordingDataset:
    options = {"part": "all", "clip_length": CLIP, "image_size": (64, 36), "cameras": CAMERAS} | options
    return RecordingDataset(str(folder / "observations"), **options)


def frozen_config(folder: Path, start: Path, root: str) -> Config:
    config = load_config("vadv2_demo")
    config.model = tiny_model_config(12) | {"frozen": SENSES}
    config.load_from, config.map_cache.root = str(start), root
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.dataset = {
            "type": "RecordingDataset", "root": str(folder / "observations"), "part": "all", "clip_length": CLIP,
            "image_size": (64, 36), "cameras": CAMERAS,
        }  # fmt: skip
        loader.update(batch_size=2, num_workers=0, persistent_workers=False, pin_memory=False)
    config.custom_hooks[0].path = config.val_evaluator.vocabulary = str(folder / "plans.npy")
    config.train_cfg.update(max_epochs=2, val_interval=2)
    return config


def test_cached_maps_are_those_that_the_encoder_makes_of_images_displaced_or_not(folder, tmp_path):
    model, pushed = make_model(), Perturbation(1.0, lateral=0.8, yaw=0.1)
    cache = MapCache(tmp_path, model, CAMERAS, pushed, variants=2, dtype="float32")
    plain = make_dataset(folder)
    assert cache.fill(plain.paths) == 4
    cached = make_dataset(folder, encoded=str(cache.folder))
    assert plain.clips[0].first == 0
    shifts = cache.shifts(plain.logs[0].token)
    assert (shifts[0] == 0).all() and len(np.unique(shifts, axis=0)) == 3
    seen = []
    for variant, shift in enumerate(shifts):
        for dataset in (plain, cached):
            dataset._draw_shift = lambda *_, drawn=(shift, variant): drawn
        with torch.no_grad():
            fresh, kept = (
                model.encode_clip(model.data_preprocessor(planning_collate([d[0]]))["inputs"])
                for d in (plain, cached)
            )
        assert len(fresh) == len(kept) == CLIP
        for one, other in zip(fresh, kept, strict=True):
            assert torch.allclose(one, other, atol=1e-5)
        seen.append(kept[-1])
    assert not torch.allclose(seen[0], seen[1], atol=1e-2)


def test_displaced_clips_are_those_with_maps(folder, tmp_path):
    pushed = {"probability": 0.5, "min_speed": 0.0}
    cache = MapCache(tmp_path, make_model(), CAMERAS, Perturbation(**pushed), variants=2)
    dataset = make_dataset(folder, perturbation=pushed)
    cache.fill(dataset.paths)
    dataset = make_dataset(folder, perturbation=pushed, encoded=str(cache.folder))
    [clip, *_] = dataset.clips
    log, drawn = dataset.logs[clip.log], []
    for _ in range(60):
        shift, variant = dataset._draw_shift(log, clip)
        assert (shift is None) == (variant == 0)
        assert shift is None or (shift == cache.shifts(log.token)[variant]).all()
        drawn.append(variant)
    assert set(drawn) == {0, 1, 2}
    assert "images" not in dataset[0]["inputs"] and dataset[0]["inputs"]["maps"].dtype == torch.float16


def test_a_training_on_cached_maps_ends_where_one_on_images_ends(folder, start, tmp_path):
    ends = []
    for root in ("", str(tmp_path / "maps")):
        config = frozen_config(folder, start, root)
        config.map_cache.dtype = "float32"
        last = train(config, tmp_path / f"work{len(ends)}", "cpu")
        ends.append(load_checkpoint(last)["state_dict"])
        assert bool(config.train_dataloader.dataset.get("encoded")) == bool(root)
    begun = load_checkpoint(start)["state_dict"]
    moved = [name for name in begun if not torch.equal(begun[name].float(), ends[0][name].float())]
    assert moved and not any(name.startswith(SENSES) for name in moved)
    for name, value in ends[0].items():
        assert torch.allclose(value.float(), ends[1][name].float(), atol=1e-4), name


def test_what_is_there_is_kept_and_other_weights_have_other_maps(folder, start, tmp_path):
    config = frozen_config(folder, start, str(tmp_path))
    use_map_cache(config, torch.device("cpu"))
    maps = Path(config.train_dataloader.dataset.encoded)
    files = {path: path.stat().st_mtime_ns for path in maps.iterdir()}
    assert len(files) == 4
    assert config.val_dataloader.dataset.encoded == str(maps)
    broken = min(files)
    broken.write_bytes(broken.read_bytes()[:-100])
    use_map_cache(frozen_config(folder, start, str(tmp_path)), torch.device("cpu"))
    again = {path: path.stat().st_mtime_ns for path in maps.iterdir()}
    assert [path for path in files if files[path] != again[path]] == [broken]

    other = load_checkpoint(start)
    other["state_dict"]["bev_encoder.queries"] = other["state_dict"]["bev_encoder.queries"] + 0.1
    torch.save(other, tmp_path / "other.pth")
    config = frozen_config(folder, tmp_path / "other.pth", str(tmp_path))
    use_map_cache(config, torch.device("cpu"))
    assert config.train_dataloader.dataset.encoded != str(maps)


def test_no_cache_where_the_encoder_learns(folder, start, tmp_path):
    config = frozen_config(folder, start, str(tmp_path / "maps"))
    config.model.frozen = ("backbone", "neck")
    use_map_cache(config, torch.device("cpu"))
    assert "encoded" not in config.train_dataloader.dataset
    assert not (tmp_path / "maps").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"load_from": None}, "load_from names no weights"),
        ({"map_cache.dtype": "int8"}, "expected one of float32, float16"),
        (
            {"map_cache.variants": -1, "train_dataloader.dataset.perturbation": {"probability": 0.5}},
            "expected 0 or",
        ),
        ({"train_dataloader.dataset.type": "OpenSceneDataset"}, "expected RecordingDataset"),
    ],
)
def test_wrong_settings_are_one_sentence(folder, start, tmp_path, change, message):
    config = frozen_config(folder, start, str(tmp_path))
    config.merge_from_dict(change)
    with pytest.raises(ConfigError, match=message):
        use_map_cache(config, torch.device("cpu"))


FILLS = """
import sys, torch
from pathlib import Path
from mmengine.config import Config
from algengine import registry
from algengine.engine.distributed import join_processes, leave_processes, ranks
from algengine.engine.map_cache import use_map_cache
registry.MODELS.import_from_location()
device = join_processes("pytorch", torch.device("cpu"))
config = Config.fromfile(sys.argv[1])
use_map_cache(config, device)
clips = len(registry.DATASETS.build(config.train_dataloader.dataset))
Path(sys.argv[2], f"clips_{ranks()[0]}").write_text(str(clips))  # two at once would mix what they print
leave_processes()
"""


@pytest.mark.slow
def test_two_processes_share_the_work_and_wait_for_each_other(folder, start, tmp_path):
    config = frozen_config(folder, start, str(tmp_path / "maps"))
    config.dump(tmp_path / "config.py")
    (tmp_path / "fills.py").write_text(FILLS)
    launch = [
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--local-addr",
        "127.0.0.1",
        "--nproc-per-node",
        "2",
    ]
    done = subprocess.run(
        [sys.executable, *launch, str(tmp_path / "fills.py"), str(tmp_path / "config.py"), str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=300, env=os.environ | ALONE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = [(tmp_path / f"clips_{rank}").read_text() for rank in range(2)]
    assert seen == ["4", "4"]  # both see the maps of all four drives
    assert "maps of the frozen encoder 2/2" in done.stderr  # each made half
