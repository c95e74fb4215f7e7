"""Every shipped config names only what the data set takes."""

import inspect

import pytest

from algengine.datasets.openscene import OpenSceneDataset
from algengine.datasets.openscene.items import FinetuneOptions, SimulatedOptions
from algengine.engine.configs import config_names, load_config

pytestmark = pytest.mark.mm


def test_configs_fit_the_data_set():
    known = set(inspect.signature(OpenSceneDataset).parameters)
    seen = 0
    for name in config_names():
        config = load_config(name)
        for loader in ("train_dataloader", "val_dataloader"):
            data = dict((config.get(loader) or {}).get("dataset") or {})
            if data.pop("type", "") != "OpenSceneDataset":
                continue
            seen += 1
            assert set(data) <= known, f"{name}: {set(data) - known}"
            assert data["nav_filter_path"] and data["cameras"]
            if data.get("simulated"):
                SimulatedOptions(**data["simulated"])
            if data.get("finetune"):
                FinetuneOptions(**data["finetune"])
    assert seen >= 20
