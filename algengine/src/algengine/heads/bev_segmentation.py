"""Auxiliary supervision of the bird's-eye-view map: what is on the ground around the ego.

The published planner starts from an encoder pre-trained on tracking and mapping. Here the encoder learns both at once:
a small decoder predicts label layers (drivable area, lane lines, road users, ...) of every cell while the planner
trains. It is not used for planning and not exported.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional

from algengine.registry import MODELS


@MODELS.register_module()
class BEVSegmentationHead(BaseModule):
    """Predicts L independent label layers per cell.

    Args:
        dims: channels of the map.
        layers: names of the label layers.
        positive_weight: weight of positive cells in each layer (they are rare).
        loss_weight: factor of the loss.
        upsample: label cells per map cell along each axis.
    """

    def __init__(
        self,
        dims: int,
        layers: Sequence[str],
        positive_weight: Sequence[float],
        loss_weight: float = 1.0,
        upsample: int = 2,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.names = tuple(layers)
        self.loss_weight, self.upsample = loss_weight, upsample
        self.register_buffer(
            "positive_weight", torch.tensor(list(positive_weight)).view(-1, 1, 1), persistent=False
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(dims, dims, 3, padding=1, bias=False),
            nn.BatchNorm2d(dims),
            nn.ReLU(inplace=True),
            nn.Conv2d(dims, len(self.names) * upsample**2, 1),
            nn.PixelShuffle(upsample),
        )

    def forward(self, bev: Tensor) -> Tensor:
        """Return logits (B, L, rows * upsample, cols * upsample) of a map (B, C, rows, cols)."""
        return self.decoder(bev)

    def loss(self, bev: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return the loss and the mean intersection over union.

        Args:
            bev: (B, C, rows, cols).
            labels: (B, L, rows * upsample, cols * upsample) uint8: 0, 1, or 255 where unknown.
        """
        logits = self(bev).float()
        known = (labels != 255).to(logits.dtype)
        target = (labels == 1).to(logits.dtype)
        each = functional.binary_cross_entropy_with_logits(
            logits, target, reduction="none", pos_weight=self.positive_weight
        )
        with torch.no_grad():
            guess = (logits > 0).to(logits.dtype) * known
            both = (guess * target).sum((0, 2, 3))
            union = (torch.maximum(guess, target) * known).sum((0, 2, 3))
            overlap = (both / union.clamp(min=1.0)).mean()
        return {
            "loss_bev": self.loss_weight * (each * known).sum() / known.sum().clamp(min=1.0),
            "bev_iou": overlap,
        }
