"""Which runs a folder belongs to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simengine.errors import ConfigError
from simengine.runner.run_directory import RunDirectory


def test_a_folder_without_results_belongs_to_nobody(tmp_path: Path):
    RunDirectory(tmp_path).open(
        {"lens": "fish"}, resume=True
    )  # a mistake that a worker found: nothing was driven
    RunDirectory(tmp_path).open({"lens": "native"}, resume=True)
    assert json.loads((tmp_path / "fingerprint.json").read_text()) == {"lens": "native"}


@pytest.mark.parametrize("result", ["rows/a.json", "rewards/a.npz", "records/a.npz"])
def test_results_belong_to_one_configuration(tmp_path: Path, result: str):
    RunDirectory(tmp_path).open({"lens": "native"}, resume=True)
    (tmp_path / result).parent.mkdir()
    (tmp_path / result).touch()
    with pytest.raises(ConfigError, match="differs in lens"):
        RunDirectory(tmp_path).open({"lens": "warp"}, resume=True)
    RunDirectory(tmp_path).open({"lens": "native"}, resume=True)
