"""Cutting scene dictionaries in time, before anything is derived from them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def cut_scene(scene: Mapping, first: int, stop: int) -> dict:
    """Return the scene with frames [first, stop) only.

    Whatever in the metadata, the track states and the light states has one entry for each frame is cut.
    """
    length = int(scene["length"])
    if (first, stop) == (0, length):
        return dict(scene)

    def cut(values: Mapping) -> dict:
        return {key: v[first:stop] if _per_frame(v, length) else v for key, v in values.items()}

    metadata = cut(scene["metadata"])
    if metadata.get("current_time_index") is not None:
        metadata["current_time_index"] = int(metadata["current_time_index"]) - first
    return {
        **scene,
        "length": stop - first,
        "metadata": metadata,
        "tracks": {key: {**track, "state": cut(track["state"])} for key, track in scene["tracks"].items()},
        "dynamic_map_states": {
            key: {**light, "state": cut(light.get("state", {}))}
            for key, light in scene["dynamic_map_states"].items()
        },
    }


def _per_frame(value: object, length: int) -> bool:
    return isinstance(value, list | tuple | np.ndarray) and np.ndim(value) != 0 and len(value) == length
