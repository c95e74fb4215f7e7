from __future__ import annotations

import importlib.util

import pytest

from simengine.errors import ConfigError
from simengine.render.build import make_backend


def test_names():
    assert make_backend("cpu", threads=1).name == "cpu"
    if importlib.util.find_spec("gsplat") is None:
        assert make_backend("auto").name == "cpu"
    with pytest.raises(ConfigError, match="cpu, gsplat, auto"):
        make_backend("vulkan")
