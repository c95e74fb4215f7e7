"""The track head: queries find objects on the bird's-eye-view maps of a clip and follow them from frame to frame.

B batch, Q frames, K queries, M objects, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

import torch
from mmengine.dist import all_reduce
from mmengine.model import BaseModule
from torch import Tensor

from algengine.heads.tracking.box_code import CODE_SIZE, BoxCode
from algengine.heads.tracking.decoder import Decoded, ObjectDecoder
from algengine.heads.tracking.following import TrainingNoise, carried, flat_overlap
from algengine.heads.tracking.interaction import MemoryBank, QueryInteraction
from algengine.heads.tracking.life_cycle import LifeCycle
from algengine.heads.tracking.motion import moved_reference
from algengine.heads.tracking.queries import NOBODY, NewQueries, Queries
from algengine.heads.tracking.targets import frame_targets
from algengine.losses.tracking import Targets, match_cost, query_losses
from algengine.losses.tracking_match import assign
from algengine.models.bev.grid import BEVGrid
from algengine.registry import MODELS
from algengine.structures.objects import ClipObjects, FoundObjects

_VELOCITY_WEIGHT = 0.2


@MODELS.register_module()
class TrackHead(BaseModule):
    """UniAD's tracking: new queries find objects, queries that found one are carried on and keep its identity.

    Args:
        dims: channels of the maps.
        heads: attention heads.
        num_query: new queries of each frame, without the ego's.
        capacity: most queries carried on from one frame to the next.
        num_layers: decoder layers.
        points: reads of a query in the map, per head and layer.
        x_range: extent of the maps along x in the ego frame [m].
        y_range: extent along y [m].
        z_range: heights at which centres of objects may be [m].
        cell: edge of a map's cell [m].
        dropout: in the decoder.
        memories: embeddings that a query remembers.
        frame_dt: time between frames [s].
        class_weight: weight of the focal loss, and of its cost when matching.
        box_weight: weight of the L1 distance of box codes, likewise.
        past_weight: weight of the L1 distance of past and future places.
        noise: arguments of `TrainingNoise`.
        life_cycle: arguments of `LifeCycle`.
        max_found: most findings reported per frame.
        deformable: see `choose_form`.
    """

    def __init__(
        self,
        dims: int = 256,
        heads: int = 8,
        num_query: int = 900,
        capacity: int = 300,
        num_layers: int = 6,
        points: int = 4,
        x_range: Sequence[float] = (-51.2, 51.2),
        y_range: Sequence[float] = (-51.2, 51.2),
        z_range: Sequence[float] = (-4.62, 3.38),
        cell: float = 0.512,
        dropout: float = 0.1,
        memories: int = 4,
        frame_dt: float = 0.5,
        class_weight: float = 2.0,
        box_weight: float = 0.25,
        past_weight: float = 0.0,
        noise: Mapping | None = None,
        life_cycle: Mapping | None = None,
        max_found: int = 300,
        deformable: str = "auto",
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        grid = BEVGrid(tuple(x_range), tuple(y_range), cell)
        self.code = BoxCode(x_range, y_range, z_range)
        self.capacity, self.frame_dt = capacity, frame_dt
        # The first frame has no queries but the new ones, and all frames report equally many.
        self.max_found = min(max_found, num_query)
        self.class_weight, self.box_weight, self.past_weight = class_weight, box_weight, past_weight
        self.noise, self.life_cycle = TrainingNoise(**(noise or {})), LifeCycle(**(life_cycle or {}))
        self.new_queries = NewQueries(dims, num_query, memories)
        self.decoder = ObjectDecoder(dims, heads, points, num_layers, grid, self.code, dropout, deformable)
        self.query_interact = QueryInteraction(dims, heads)
        self.memory_bank = MemoryBank(dims, heads)
        weights = torch.ones(CODE_SIZE)
        weights[8:] = _VELOCITY_WEIGHT
        self.register_buffer("code_weights", weights, persistent=False)

    @property
    def ego(self) -> int:
        """Place of the ego's query."""
        return self.new_queries.count

    def loss(
        self, maps: Sequence[Tensor], motion: Tensor, ego_velocity: Tensor, objects: ClipObjects
    ) -> dict[str, Tensor]:
        """Return losses of B clips, summed over frames and layers, and the mean error of centres [m].

        Args:
            maps: Q maps (B, C, rows, cols).
            motion: (B, Q, 3) ego pose of each frame in the one before [m, m, rad].
            ego_velocity: (B, Q, 2) in the ego frames [m/s].
            objects: of the clips, see `padded`.
        """
        followed, parts = None, []
        for q, bev in enumerate(maps):
            queries = self._queries(len(bev), followed, motion[:, q])
            decoded = self._decode(bev, queries)
            targets = frame_targets(objects, q, ego_velocity[:, q], self.code)
            assigned = self._assign(decoded, queries, targets, objects.present[:, q])
            parts.append(self._losses(decoded, queries, assigned, targets))
            followed = self._follow_truth(decoded, queries, assigned[-1], targets)
        losses = {name: torch.stack([part[name] for part in parts]) for name in parts[0]}
        return {name: value.sum() if "loss" in name else value.mean() for name, value in losses.items()}

    def predict(self, maps: Sequence[Tensor], motion: Tensor) -> FoundObjects:
        """Return what is found in B clips, tensors (B, Q, D, ...); arguments as `loss`'s."""
        followed, born, frames = None, motion.new_zeros(len(motion), dtype=torch.int64), []
        for q, bev in enumerate(maps):
            queries = self._queries(len(bev), followed, motion[:, q])
            decoded = self._decode(bev, queries)
            scores = self._scores(decoded, queries)
            owner, misses, born = self.life_cycle.update(
                queries.owner, queries.misses, scores, self._objects(queries), born
            )
            queries = replace(queries, owner=owner, misses=misses)
            frames.append(self._found(decoded, queries, scores))
            followed = self._carry(decoded, queries, torch.where(owner != NOBODY, 1.0 + scores, 0.0))
        return FoundObjects(
            *(torch.stack([getattr(frame, f.name) for frame in frames], dim=1) for f in fields(FoundObjects))
        )

    def _queries(self, batch: int, followed: Queries | None, motion: Tensor) -> Queries:
        """Return new queries and those followed, moved into the present ego frame."""
        new = self.new_queries(batch)
        if followed is None:
            return new
        moved = moved_reference(followed.reference, followed.velocity, motion, self.frame_dt, self.code)
        return new.join(replace(followed, reference=moved))

    def _decode(self, bev: Tensor, queries: Queries) -> Decoded:
        decoded = self.decoder(queries, bev)
        return replace(decoded, embedding=self.memory_bank.recall(queries, decoded.embedding))

    def _objects(self, queries: Queries) -> Tensor:
        """Return the queries (B, K) that may stand for an object: all that are used but the ego's."""
        return queries.used & (torch.arange(queries.used.shape[1], device=queries.used.device) != self.ego)

    def _scores(self, decoded: Decoded, queries: Queries) -> Tensor:
        """Return the score (B, K) of each query's best class, 0 for those that stand for no object."""
        return decoded.logits[-1].sigmoid().amax(-1) * self._objects(queries)

    @torch.no_grad()
    def _assign(self, decoded: Decoded, queries: Queries, targets: Targets, present: Tensor) -> Tensor:
        """Return the row (L, B, K) in `targets` of each query; the last is the ego's."""
        cost = match_cost(
            decoded.logits,
            decoded.codes,
            targets.labels[:, :-1],
            targets.codes[:, :-1],
            self.class_weight,
            self.box_weight,
        )
        free = self._objects(queries) & (queries.owner == NOBODY)
        assigned = assign(cost, queries.owner, free, present)
        assigned[..., self.ego] = present.shape[1]
        return assigned

    def _losses(
        self, decoded: Decoded, queries: Queries, assigned: Tensor, targets: Targets
    ) -> dict[str, Tensor]:
        parts = query_losses(
            decoded.logits, decoded.codes, decoded.tracks, queries.used, assigned, targets, self.code_weights
        )
        matched = (assigned[-1] >= 0).sum().float()
        all_reduce(matched, "mean")
        weights = {"cls": self.class_weight, "bbox": self.box_weight, "past_trajs": self.past_weight}
        losses = {f"loss_{name}": weights[name] * part / matched for name, part in parts.items()}
        return losses | {"center_error": center_error(decoded.codes[-1], assigned[-1], targets)}

    @torch.no_grad()
    def _rank_truth(self, decoded: Decoded, queries: Queries, assigned: Tensor, targets: Targets) -> Tensor:
        rows = torch.arange(len(assigned), device=assigned.device)[:, None]
        wanted = self.code.decode(targets.codes[rows, assigned.clamp(min=0)])
        overlap = flat_overlap(self.code.decode(decoded.codes[-1]), wanted)
        return self.noise.rank(assigned, overlap, self._scores(decoded, queries), self._objects(queries))

    def _follow_truth(
        self, decoded: Decoded, queries: Queries, assigned: Tensor, targets: Targets
    ) -> Queries:
        """Return the queries to carry on in training: those of objects, disturbed by noise."""
        rank = self._rank_truth(decoded, queries, assigned, targets)
        return self._carry(decoded, replace(queries, owner=assigned), rank)

    def _carry(self, decoded: Decoded, queries: Queries, rank: Tensor) -> Queries:
        """Return the queries of highest rank (B, K), made ready for the next frame."""
        queries = replace(queries, reference=decoded.reference, velocity=decoded.codes[-1, ..., 8:].detach())
        chosen, index = carried(queries, rank, self.capacity)
        rows = torch.arange(len(index), device=index.device)[:, None]
        embedding = decoded.embedding[rows, index]
        return self.query_interact(self.memory_bank.save(chosen, embedding), embedding)

    def _found(self, decoded: Decoded, queries: Queries, scores: Tensor) -> FoundObjects:
        """Return the best findings (B, D) of one frame; those with an identity only if they are seen."""
        best, index = scores.topk(self.max_found, dim=-1)
        rows = torch.arange(len(index), device=index.device)[:, None]
        ids = torch.where(scores >= self.life_cycle.keep, queries.owner, NOBODY)
        return FoundObjects(
            boxes=self.code.decode(decoded.codes[-1][rows, index]),
            scores=best,
            labels=decoded.logits[-1].argmax(-1)[rows, index],
            ids=ids[rows, index],
        )


def center_error(codes: Tensor, assigned: Tensor, targets: Targets) -> Tensor:
    """Return how far centres of matched boxes are off on average, seen from above [m]; the ego counts too."""
    rows = torch.arange(len(assigned), device=assigned.device)[:, None]
    gap = (codes - targets.codes[rows, assigned.clamp(min=0)])[..., :2].detach().norm(dim=-1)
    matched = (assigned >= 0).to(gap.dtype)
    return (gap * matched).sum() / matched.sum().clamp(min=1.0)
