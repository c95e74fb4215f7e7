"""The key `record.openscene`: checked, and made into what keeps OpenScene frames."""

from __future__ import annotations

from pathlib import Path

from simengine.config.protocols import make_protocol
from simengine.config.rewards import load_reward_vocabulary
from simengine.config.schema import RunConfig
from simengine.errors import ConfigError
from simengine.export.layout import OpenSceneFolder, openscene_of
from simengine.export.openscene import OpenSceneRecorder
from simengine.rewards.pdms_pkl import FIRST_STEP


def check_openscene(config: RunConfig) -> None:
    """Raise `ConfigError` if the frames of the run are not those of the format."""
    if not config.record.openscene:
        return
    if config.render.backend == "none":
        raise ConfigError(
            "record.openscene needs images but render.backend is none, expected cpu, gsplat or auto"
        )
    protocol = config.protocol
    if abs(protocol.history_dt - protocol.decision_interval) > 1e-6:
        raise ConfigError(
            f"record.openscene has one rate of frames but protocol.history_dt is {protocol.history_dt} s and "
            f"protocol.decision_interval {protocol.decision_interval} s, expected the same"
        )
    if protocol.history_length != FIRST_STEP + 1:
        raise ConfigError(
            f"record.openscene numbers the first decision {FIRST_STEP} but protocol.history_length is "
            f"{protocol.history_length}, expected {FIRST_STEP + 1}"
        )


def openscene_folder(config: RunConfig, run: Path) -> OpenSceneFolder | None:
    """Return where the original's output of the run in the folder `run` goes, None without it."""
    if not config.record.openscene:
        return None
    return OpenSceneFolder(Path(config.data_output_dir)) if config.data_output_dir else openscene_of(run)


def make_openscene(config: RunConfig, run: Path) -> OpenSceneRecorder | None:
    """Return what keeps the frames of a worker's episodes, None if they are not kept."""
    folder = openscene_folder(config, run)
    if folder is None:
        return None
    protocol = make_protocol(config)
    return OpenSceneRecorder(
        folder, protocol.history_length, protocol.steps_per_decision, load_reward_vocabulary(config)
    )
