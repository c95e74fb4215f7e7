import pytest

from nuplan_factories import town, write_map
from nuplan_log_factories import NAME, drive, sweep_token, write_db, write_filter
from simengine.scenario.nuplan.options import NuplanOptions


@pytest.fixture
def town_options(tmp_path) -> NuplanOptions:
    """A log, the map of the town, and a filter with four tokens, at sweeps 40, 60, 80 and 100."""
    write_map(tmp_path / "maps", town())
    write_db(tmp_path / "dbs" / f"{NAME}.db", drive())
    rule = write_filter(tmp_path / "f.yaml", tokens=[sweep_token(k) for k in (40, 60, 80, 100)])
    return NuplanOptions(tmp_path / "dbs", tmp_path / "maps", filters=(rule,))
