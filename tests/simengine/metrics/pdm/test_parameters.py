import pytest

from simengine.errors import ConfigError
from simengine.metrics.pdm.parameters import parameters_of


def test_unknown_mode_is_refused() -> None:
    with pytest.raises(ConfigError, match="navsim_v1"):
        parameters_of("navsim_v9")
