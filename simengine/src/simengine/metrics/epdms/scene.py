"""What the extended score is computed against: a PDM scene, red lights, the past and the logged driver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from simengine.datatypes.check import require_shape
from simengine.datatypes.ego import STATE_SIZE
from simengine.errors import ConfigError
from simengine.metrics.epdms.lights import RedLights
from simengine.metrics.epdms.parameters import EPDMS, EpdmsParameters
from simengine.metrics.pdm.scene import PdmScene


@dataclass(frozen=True)
class EpdmsScene:
    """What a batch of S states is scored against.

    Attributes:
        pdm: what the PDM score needs; its parameters are those of `parameters.pdm`. NAVSIM's observation ends with
            the last state; a longer one lets time to collision judge more of the states.
        lights: red connectors of the uncorrected route at the times of the states.
        past: (H, 11) states that lead up to state 0, `pdm.dt` apart; (0, 11) gives full history comfort.
        human_states: (S, 11) states simulated from the logged future; with them the human filter applies, which
            is meant for logged scenes and not for synthetic follow-ups.
        parameters: weights and rules.
        unknown: sub-scores that this scene cannot tell, with the reason; they become NaN.
    """

    pdm: PdmScene
    lights: RedLights
    past: np.ndarray = field(default_factory=lambda: np.zeros((0, STATE_SIZE)))
    human_states: np.ndarray | None = None
    parameters: EpdmsParameters = EPDMS
    unknown: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.pdm.parameters != self.parameters.pdm:
            raise ConfigError(
                f"the PDM scene has the rules of mode {self.pdm.parameters.mode!r}, expected those of "
                f"{self.parameters.mode!r}: build it with parameters.pdm"
            )
        require_shape("past", self.past, (len(self.past), STATE_SIZE))
        require_shape("lights.red", self.lights.red, (len(self.lights.ids), self.lights.red.shape[-1]))
