"""One node of a released asset: which tensors it has, and what their numbers mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from simengine.errors import AssetError
from simengine.render.assets.asset import AssetNode, FourierColor, LogPoses, NodeKind, band_zero
from simengine.render.gaussians import MAX_SH_DEGREE, FlatGaussians

REMEDY = "export or download the asset again"
TURNS_COLORS = "simengine_turns_colors"
"""Key that only our own files have: whether colours are in axes of the node."""
_PREFIX = "gauss_params"


@dataclass(frozen=True)
class NodeReader:
    """Turns the tensors of one node into values.

    Attributes:
        where: file and node, for messages.
        config: settings.
        state: tensors by dotted name, or nested.
    """

    where: str
    config: Mapping
    state: object

    def node(self, name: str, kind: NodeKind) -> AssetNode:
        """Return the node."""
        means = self.tensor("means", (None, 3))
        count = len(means)
        isotropic = int(self.config.get("scale_dim") or 3) == 1
        scales = self.tensor("scales", (count, 1 if isotropic else 3))
        quats = np.tile(np.float32([1, 0, 0, 0]), (count, 1)) if isotropic else self.quats(count)
        bands, fourier = self.colors(count)
        gaussians = FlatGaussians(
            means=means,
            quats=quats,
            scales=np.broadcast_to(np.exp(np.minimum(scales, 80.0)), (count, 3)),
            opacities=expit(self.tensor("opacities", (count, 1))[:, 0]),
            sh=bands,
        )
        log = self.log() if kind.is_object else None
        turns_colors = self.config.get(TURNS_COLORS) is True
        return AssetNode(name, kind, gaussians, log, fourier if kind.is_object else None, turns_colors)

    def quats(self, count: int) -> np.ndarray:
        """Return unit quaternions (count, 4)."""
        quats = self.tensor("quats", (count, 4))
        norm = np.linalg.norm(quats, axis=1, keepdims=True)
        return np.where(norm > 0, quats / np.where(norm > 0, norm, 1.0), np.float32([1, 0, 0, 0]))

    def colors(self, count: int) -> tuple[np.ndarray, FourierColor | None]:
        """Return coefficients (count, K, 3), and the series of the base colour if it has one."""
        degree = int(self.config.get("sh_degree", MAX_SH_DEGREE))
        if not 0 <= degree <= MAX_SH_DEGREE:
            raise AssetError(f"{self.where}: sh_degree is {degree}, expected 0..{MAX_SH_DEGREE}: {REMEDY}")
        terms = int(self.config.get("fourier_features_dim") or 0)
        dc = self.find("features_dc")
        fourier = None
        if terms > 1 or dc.ndim == 3:
            series = self.tensor("features_dc", (count, max(terms, 1), 3))
            dc = series[:, 0]
            if terms > 1:
                fourier = FourierColor(
                    series,
                    float(self.config.get("fourier_features_scale") or 1.0),
                    self.config.get("fourier_in_space") == "spatial",
                    is_logit=degree == 0,
                )
        else:
            dc = self.tensor("features_dc", (count, 3))
        if degree == 0:
            return band_zero(dc)[:, None], fourier
        wanted = (degree + 1) ** 2 - 1
        rest = self.tensor("features_rest", (count, None, 3))
        if rest.shape[1] < wanted:
            raise AssetError(
                f"{self.where}: features_rest has {rest.shape[1]} bands, expected at least {wanted} for sh_degree "
                f"{degree}: {REMEDY}"
            )
        return np.concatenate([dc[:, None], rest[:, :wanted]], axis=1), fourier

    def log(self) -> LogPoses | None:
        """Return where the object stood, None if the node does not say."""
        if self.find("instance_trans", required=False) is None:
            return None
        trans = np.squeeze(self.find("instance_trans"))
        quats = np.squeeze(self.find("instance_quats"))
        if trans.ndim == 1 and quats.ndim == 1:
            times, trans, quats = None, trans[None], quats[None]
        else:
            # A track of one frame loses its first axis when squeezed.
            trans, quats = trans.reshape(-1, trans.shape[-1]), quats.reshape(-1, quats.shape[-1])
            times = self.config.get("log_timestamps")
            if times is None:
                raise AssetError(
                    f"{self.where}: moves but has no log_timestamps, expected one time a frame: {REMEDY}"
                )
            times = np.asarray(times).ravel()
            if times.dtype.kind not in "fiu" or len(times) != len(trans) or not (np.diff(times) > 0).all():
                raise AssetError(
                    f"{self.where}: has {len(times)} log_timestamps for {len(trans)} poses, expected one rising "
                    f"time for each: {REMEDY}"
                )
            times = times.astype(np.int64)
        quats, trans = (
            self.check("instance_quats", quats, (len(trans), 4)),
            self.check("instance_trans", trans, (None, 3)),
        )
        norm = np.linalg.norm(quats, axis=1, keepdims=True).astype(np.float64)
        if (norm == 0).any():
            raise AssetError(f"{self.where}: instance_quats are zero, expected rotations: {REMEDY}")
        return LogPoses(quats.astype(np.float64) / norm, trans.astype(np.float64), times)

    def tensor(self, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
        """Return a tensor of the Gaussians as float32 after checking shape and numbers."""
        return self.check(name, self.find(name), shape)

    def find(self, name: str, required: bool = True) -> np.ndarray:
        """Return a tensor by name: flat, nested under `gauss_params`, or of the node itself."""
        state = self.state if isinstance(self.state, Mapping) else {}
        nested = state.get(_PREFIX)
        for source, key in (
            (state, f"{_PREFIX}.{name}"),
            (nested if isinstance(nested, Mapping) else {}, name),
            (state, name),
        ):
            if isinstance(source.get(key), np.ndarray):
                return source[key]
        if required:
            raise AssetError(f"{self.where}: has no tensor {name}, expected {_PREFIX}.{name}: {REMEDY}")
        return None  # type: ignore[return-value]

    def check(self, name: str, array: np.ndarray, shape: tuple[int | None, ...]) -> np.ndarray:
        """Return `array` as float32 if it has `shape` (None for any size) and finite numbers."""
        fits = array.ndim == len(shape) and all(
            want in (None, size) for want, size in zip(shape, array.shape, strict=True)
        )
        if not fits or array.dtype.kind not in "fiu":
            wanted = ", ".join("N" if size is None else str(size) for size in shape)
            raise AssetError(
                f"{self.where}: {name} is {array.dtype} of shape {array.shape}, expected numbers of shape ({wanted}): "
                f"{REMEDY}"
            )
        array = array.astype(np.float32)
        if not np.isfinite(array).all():
            raise AssetError(f"{self.where}: {name} holds NaN or infinity, expected finite numbers: {REMEDY}")
        return array
