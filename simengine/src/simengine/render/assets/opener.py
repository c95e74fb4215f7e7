"""Opens the scene of a scenario: its asset if it has one, else one lifted from its map and tracks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from simengine.errors import AssetError
from simengine.render.assets.asset import Asset
from simengine.render.assets.corrected import CorrectedStage
from simengine.render.assets.formats import find_asset, read_asset
from simengine.render.assets.published import PublishedStage
from simengine.render.lift import lift
from simengine.render.lift_agents import lift_agent
from simengine.render.stage import AgentMaker, FlatStage, Stage
from simengine.scenario.scenario import Scenario

COMPOSITIONS: dict[str, Callable[[Scenario, Asset, AgentMaker], Stage]] = {
    "corrected": CorrectedStage,
    "worldengine_v1": PublishedStage,
}


@dataclass(frozen=True)
class SceneOpener:
    """What `SceneRenderer` opens scenes with; the last asset is kept for the next scenario that shares it.

    Attributes:
        asset_root: folder of assets; None lifts every scene.
        composition: how a scenario stands in an asset, one of `COMPOSITIONS`.
        make_agent: of agents without Gaussians.
    """

    asset_root: Path | None = None
    composition: str = "corrected"
    make_agent: AgentMaker = lift_agent
    _last: dict[tuple[Path, int], Asset] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, scenario: Scenario) -> Stage:
        """Return the stage of `scenario`.

        A scenario that names no asset takes the one called like its token, if there is one.

        Raises:
            AssetError: the scenario names an asset that is not there, or it cannot be read.
        """
        if self.asset_root is not None:
            path = find_asset(self.asset_root, scenario.asset_id or scenario.token)
            if path is not None:
                return COMPOSITIONS[self.composition](scenario, self._asset(path), self.make_agent)
            if scenario.asset_id:
                raise AssetError(
                    f"scenario {scenario.token}: its asset {scenario.asset_id} is not below {self.asset_root}, "
                    f"expected {scenario.asset_id}/background/{scenario.asset_id}.ckpt, .npz or .ply: download it, "
                    "or leave out render.asset_root to draw what is lifted from the log"
                )
        return FlatStage(scenario, lift(scenario, self.make_agent), self.make_agent)

    def _asset(self, path: Path) -> Asset:
        key = (path, path.stat().st_mtime_ns)
        kept = self._last.get(key)
        if kept is None:
            # The old asset goes before the new one is read, so that both need not fit at once.
            self._last.clear()
            kept = self._last[key] = read_asset(path)
        return kept
