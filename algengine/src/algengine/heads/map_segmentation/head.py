"""Panoptic segmentation of the bird's-eye-view map into map elements and the drivable area.

B batch, Q queries, D decoder layers, S label cells, m chosen queries.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule, bias_init_with_prob
from torch import Tensor, nn

from algengine.heads.map_segmentation.cells import SubCells, box_sine_code
from algengine.heads.map_segmentation.criterion import location_losses, mask_losses
from algengine.heads.map_segmentation.fusion import MASK_THRESHOLD, fuse
from algengine.heads.map_segmentation.mask_decoder import SegMaskHead
from algengine.heads.map_segmentation.matching import match_locations, match_masks
from algengine.heads.map_segmentation.outputs import MapOutputs
from algengine.heads.map_segmentation.transformer import SegDeformableTransformer
from algengine.heads.map_segmentation.truth import BatchTruth
from algengine.registry import MODELS
from algengine.structures.map_truth import MAP_CLASSES, MapPrediction, MapTruth

_PRIOR = 0.01
_SMALL = -2.0
_MOST_PAIRS = 100


@MODELS.register_module()
class PansegformerHead(BaseModule):
    """Finds dividers, crossings and contours as boxes, then as masks; the drivable area is one more mask.

    A deformable encoder and decoder find boxes and classes. Queries that may answer for an element get a mask from
    their attention to the cells; a query of its own does so for the drivable area. After Li et al. 2022, "Panoptic
    SegFormer", as the published perception stage uses it.

    Args:
        dims: channels of the map, a multiple of 4 and of `heads`.
        heads: attention heads.
        points: reads per head of deformable attention.
        hidden: width of the feed-forwards.
        num_queries: queries for elements Q.
        encoder_layers: number of them.
        decoder_layers: number of them, D.
        things_blocks: blocks of the mask decoder of elements.
        stuff_blocks: blocks of the mask decoder of the drivable area.
        dropout: dropout in encoder and decoder.
        upsample: label cells per map cell along each axis.
        deformable: see `choose_form`.
    """

    def __init__(
        self,
        dims: int = 256,
        heads: int = 8,
        points: int = 4,
        hidden: int = 512,
        num_queries: int = 100,
        encoder_layers: int = 6,
        decoder_layers: int = 6,
        things_blocks: int = 4,
        stuff_blocks: int = 6,
        dropout: float = 0.1,
        upsample: int = 1,
        deformable: str = "auto",
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.dims, self.upsample = dims, upsample
        self.transformer = SegDeformableTransformer(
            dims, heads, points, hidden, encoder_layers, decoder_layers, dropout, deformable
        )
        self.sub_cells = SubCells(dims, upsample)
        self.query_embedding = nn.Embedding(num_queries, 2 * dims)
        self.stuff_query = nn.Embedding(1, dims)
        self.cls_branches = nn.ModuleList(nn.Linear(dims, len(MAP_CLASSES)) for _ in range(decoder_layers))
        self.reg_branches = nn.ModuleList(_box_branch(dims) for _ in range(decoder_layers))
        self.cls_stuff_branches = nn.ModuleList(nn.Linear(dims, 1) for _ in range(stuff_blocks))
        self.box_code = nn.Linear(2 * dims, dims)
        self.things_mask_head = SegMaskHead(dims, heads, hidden, things_blocks, self_attention=False)
        self.stuff_mask_head = SegMaskHead(dims, heads, hidden, stuff_blocks, self_attention=True)
        for branch in [*self.cls_branches, *self.cls_stuff_branches]:
            nn.init.constant_(branch.bias, bias_init_with_prob(_PRIOR))
        nn.init.constant_(self.reg_branches[0][-1].bias[2:], _SMALL)

    def forward(self, bev: Tensor) -> MapOutputs:
        """Return everything but the masks of elements, see `things_masks`.

        Args:
            bev: (B, C, rows, cols) map.
        """
        size = (bev.shape[-2], bev.shape[-1])
        memory = self.transformer.encode(bev)
        queries, boxes = self.transformer.decode(memory, size, self.query_embedding.weight, self.reg_branches)
        logits = [branch(query) for branch, query in zip(self.cls_branches, queries, strict=True)]
        fine = (size[0] * self.upsample, size[1] * self.upsample)
        cells, position = self.sub_cells(memory, size), self.transformer.position(fine)
        stuff = self.stuff_query.weight.expand(len(bev), -1, -1)
        stuff_masks, stuff_queries = self.stuff_mask_head(stuff, cells, position)
        stuff_logits = [b(query) for b, query in zip(self.cls_stuff_branches, stuff_queries, strict=True)]
        return MapOutputs(
            torch.stack(logits, dim=1).float(),
            torch.stack(boxes, dim=1),
            queries[-1],
            torch.stack(stuff_logits, dim=1)[..., 0, 0].float(),
            [mask[:, 0] for mask in stuff_masks],
            cells,
            position,
            fine,
        )

    def things_masks(self, outputs: MapOutputs, queries: Tensor) -> list[Tensor]:
        """Return masks (B, m, S) of the queries (B, m) after each block, and the answer."""
        rows = torch.arange(len(queries), device=queries.device)[:, None]
        place = self.box_code(box_sine_code(outputs.boxes[rows, -1, queries].detach(), self.dims))
        chosen = outputs.queries[rows, queries] + place
        masks, _ = self.things_mask_head(chosen, outputs.cells, outputs.position)
        return masks

    def loss(self, bev: Tensor, batch_data_samples: Sequence[MapTruth]) -> dict[str, Tensor]:
        """Return the weighted terms: `loss_{cls,bbox,iou}_{d}`, `loss_mask_{things,stuff}_{b}`, `loss_cls_stuff_{b}`.

        Args:
            bev: (B, C, rows, cols) map of the last frame of each sample.
            batch_data_samples: with `gt_map_*`, masks of rows * upsample x cols * upsample cells.

        Raises:
            ConfigError: masks have another size.
        """
        outputs = self(bev)
        truth = BatchTruth.collect(batch_data_samples, outputs.size)
        # Costs and dice sum over many cells, which needs single precision.
        with torch.autocast(bev.device.type, enabled=False):
            layers, candidates = match_locations(outputs, truth)
        things = self.things_masks(outputs, candidates.queries)
        with torch.autocast(bev.device.type, enabled=False):
            pairs = match_masks(outputs, candidates, things[-1], truth)
            return location_losses(outputs, layers, truth) | mask_losses(outputs, things, pairs, truth)

    @torch.no_grad()
    def predict(self, bev: Tensor) -> list[MapPrediction]:
        """Return the map elements and the drivable area of each sample of a map (B, C, rows, cols).

        The best pairs of query and class are fused, see `fuse`.
        """
        outputs = self(bev)
        scores = outputs.logits[:, -1].sigmoid().flatten(1)
        scores, pairs = scores.topk(min(_MOST_PAIRS, scores.shape[1]), dim=1)
        labels = pairs % len(MAP_CLASSES)
        masks = self.things_masks(outputs, pairs // len(MAP_CLASSES))[-1]
        drivable = (outputs.stuff_masks[-1] > MASK_THRESHOLD) & (outputs.stuff_logits[:, -1:] > 0.0)
        predictions = []
        for i in range(len(bev)):
            kept, score, cut = fuse(scores[i], labels[i], masks[i])
            cut, area = cut.unflatten(1, outputs.size), drivable[i].unflatten(0, outputs.size)
            predictions.append(MapPrediction(labels[i, kept], score, cut, area))
        return predictions


def _box_branch(dims: int) -> nn.Sequential:
    """Return a network from a query to the change of its box, at first none."""
    branch = nn.Sequential(
        nn.Linear(dims, dims), nn.ReLU(), nn.Linear(dims, dims), nn.ReLU(), nn.Linear(dims, 4)
    )
    nn.init.zeros_(branch[-1].weight)
    nn.init.zeros_(branch[-1].bias)
    return branch
