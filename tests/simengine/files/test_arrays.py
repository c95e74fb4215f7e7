"""What the container says of files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from simengine.errors import ScenarioFormatError
from simengine.files.arrays import read_arrays


def test_a_text_is_no_reason_to_unpickle(tmp_path: Path):
    path = tmp_path / "notes.npz"
    path.write_text("a text, no archive")
    with pytest.raises(ScenarioFormatError, match="no .npz archive") as raised:
        read_arrays(path, "simengine-scenario", 1)
    assert "pickle" not in str(raised.value)
