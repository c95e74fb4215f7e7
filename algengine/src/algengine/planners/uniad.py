"""UniAD's perception stage: objects are found and followed, the map is segmented, all on shared maps of a clip.

The planners start from its weights. B batch, Q frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

from algengine.planners.bev_model import BEVModel
from algengine.registry import MODELS
from algengine.structures.objects import FoundObjects, padded


@MODELS.register_module()
class UniAD(BEVModel):
    """A `BEVModel` with a track head and a map head.

    Objects are learned in every frame of a clip, the map in the last one.

    Args:
        track_head: see `TrackHead`; None to do without.
        map_head: see `PansegformerHead`; None to do without.
        bev_head: auxiliary head while training, see `BEVSegmentationHead`. The published encoder was trained on
            detection before; one that begins from nothing is told what is on each cell.
        options: those of `BEVModel`.
    """

    def __init__(
        self,
        track_head: dict | None = None,
        map_head: dict | None = None,
        bev_head: dict | None = None,
        **options: object,
    ) -> None:
        super().__init__(**options)
        shared = {"deformable": options.get("deformable", "auto")}
        self.track_head = MODELS.build(shared | track_head) if track_head else None
        self.map_head = MODELS.build(shared | map_head) if map_head else None
        self.bev_head = MODELS.build(bev_head) if bev_head else None

    def _forward(
        self, batch_inputs: dict[str, Tensor], batch_data_samples: Sequence[BaseDataElement] | None = None
    ) -> Tensor:
        """Return the maps (B, Q, C, rows, cols)."""
        return torch.stack(self.encode_clip(batch_inputs), dim=1)

    def loss(
        self, batch_inputs: dict[str, Tensor], batch_data_samples: Sequence[BaseDataElement]
    ) -> dict[str, Tensor]:
        """Return losses and log values, `track.`, `map.` or `bev.` before their names."""
        losses: dict[str, Tensor] = {}
        with self.precision(batch_inputs["motion"].device):
            maps = self.encode_clip(batch_inputs)
            if self.track_head is not None:
                objects = padded([sample.gt_objects for sample in batch_data_samples])
                velocity = batch_inputs["velocity"][:, :, -1]
                found = self.track_head.loss(maps, batch_inputs["motion"], velocity, objects)
                losses |= {f"track.{name}": value for name, value in found.items()}
            if self.map_head is not None:
                drawn = self.map_head.loss(maps[-1], batch_data_samples)
                losses |= {f"map.{name}": value for name, value in drawn.items()}
            if self.bev_head is not None and "bev_labels" in batch_inputs:
                cells = self.bev_head.loss(
                    torch.stack(maps, dim=1).flatten(0, 1), batch_inputs["bev_labels"].flatten(0, 1)
                )
                losses |= {f"bev.{name}": value for name, value in cells.items()}
        return losses

    def predict(
        self, batch_inputs: dict[str, Tensor], batch_data_samples: Sequence[BaseDataElement]
    ) -> list[BaseDataElement]:
        """Return the samples with `pred_objects` of all frames and `pred_map` of the last."""
        with self.precision(batch_inputs["motion"].device):
            maps = self.encode_clip(batch_inputs)
            if self.track_head is not None:
                found = self.track_head.predict(maps, batch_inputs["motion"])
                for sample, clip in zip(batch_data_samples, _clips(found), strict=True):
                    sample.pred_objects = clip
            if self.map_head is not None:
                for sample, drawn in zip(batch_data_samples, self.map_head.predict(maps[-1]), strict=True):
                    sample.pred_map = drawn
        return list(batch_data_samples)


def _clips(found: FoundObjects) -> list[FoundObjects]:
    """Return the findings of B clips one by one."""
    columns = (getattr(found, field.name).unbind(0) for field in fields(FoundObjects))
    return [FoundObjects(*clip) for clip in zip(*columns, strict=True)]
