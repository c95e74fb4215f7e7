"""Released assets in miniature, written by torch itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

BACKGROUND = "VanillaGaussianSplattingModel"
SKY = "SkyboxGaussianSplattingModel"
RIGID = "RigidSubModel"
MIRRORED = "MirroredRigidSubModel"
T0 = 1_630_000_000_000_000


def node_dict(
    kind: str = BACKGROUND,
    count: int = 2,
    degree: int = 3,
    nested: bool = False,
    seed: int = 0,
    tensors: dict | None = None,
    **config: object,
) -> dict:
    """Return one node of random Gaussians as released assets hold it; `tensors` replaces or adds some."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    params = {
        "means": rng.normal(size=(count, 3)),
        "scales": rng.normal(-2.0, 0.5, (count, 3)),
        "quats": rng.normal(size=(count, 4)),
        "opacities": rng.normal(size=(count, 1)),
        "features_dc": rng.normal(size=(count, 3)),
        "features_rest": rng.normal(0.0, 0.1, (count, (degree + 1) ** 2 - 1, 3)),
    }
    own = {}
    for name, value in (tensors or {}).items():
        (own if name.startswith("instance_") else params)[name] = value
    params = {key: torch.as_tensor(np.array(value, np.float32)) for key, value in params.items()}
    own = {key: torch.as_tensor(np.array(value, np.float32)) for key, value in own.items()}
    flat = {f"gauss_params.{key}": value for key, value in params.items()}
    return {
        "config": {"type": kind, "sh_degree": degree, "scale_dim": 3, **config},
        "state_dict": own | ({"gauss_params": params} if nested else flat),
    }


def moving_dict(trans: np.ndarray, quats: np.ndarray, kind: str = RIGID, **options: object) -> dict:
    """Return an object that stood at `trans` (F, 3), turned by `quats` (F, 4), every 0.1 s from `T0` on."""
    torch = pytest.importorskip("torch")
    times = torch.arange(len(trans), dtype=torch.int64) * 100_000 + T0
    tensors = {**options.pop("tensors", {}), "instance_trans": trans, "instance_quats": quats}
    return node_dict(kind, tensors=tensors, log_timestamps=times, **options)


def write_checkpoint(root: Path, asset_id: str, nodes: dict) -> Path:
    """Write nodes as the released asset `asset_id` below `root` and return its `.ckpt`."""
    torch = pytest.importorskip("torch")
    path = root / asset_id / "background" / f"{asset_id}.ckpt"
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(nodes, path)
    return path


def write_height_map(folder: Path, heights: np.ndarray, low: tuple[float, float], cell: float) -> None:
    """Write a height map whose first cell has its corner at `low` [m], `cell` metres a cell."""
    import json

    folder.mkdir(parents=True)
    np.save(folder / "road_height_map.npy", heights.astype(np.float32))
    sim2 = {"R": [1.0, 0.0, 0.0, 1.0], "t": [-low[0], -low[1]], "s": 1.0 / cell}
    (folder / "sim2.json").write_text(json.dumps(sim2))
