"""Names of the published planner's tensors and what they are called here; the only place that knows both.

Each rule is a pattern of the published name, our name, and the change of layout, if any:

* `conv`: a linear layer that is a convolution of one cell here.
* `heights`: rows (heads, levels, points, heights, ...) that are (heads, levels, heights, points, ...) here.
* `query`, `key`, `value`: parts of one stacked projection here.
"""

from __future__ import annotations

_ENCODER = r"pts_bbox_head\.transformer\.encoder\.layers\.(\d+)\."
_OBJECTS = r"pts_bbox_head\.transformer\.decoder\.layers\.(\d+)\."
_DECODER = r"planning_head\.transformer\.bev_interaction_layers\.(\d+)\."
_END = r"\.(weight|bias)"

RULES: tuple[tuple[str, str, str], ...] = (
    (r"img_backbone\.(.+)", r"backbone.\1", ""),
    (r"img_neck\.(.+)", r"neck.\1", ""),
    # What the queries of the bird's-eye view are made of.
    (r"pts_bbox_head\.bev_embedding\.weight", "bev_encoder.queries", ""),
    (r"pts_bbox_head\.positional_encoding\.row_embed\.weight", "bev_encoder.row_code", ""),
    (r"pts_bbox_head\.positional_encoding\.col_embed\.weight", "bev_encoder.col_code", ""),
    (r"pts_bbox_head\.transformer\.level_embeds", "bev_encoder.level_code", ""),
    (r"pts_bbox_head\.transformer\.cams_embeds", "bev_encoder.camera_code", ""),
    (r"pts_bbox_head\.transformer\.can_bus_mlp\.(0|2)" + _END, r"bev_encoder.can_bus.\1.\2", ""),
    (r"pts_bbox_head\.transformer\.can_bus_mlp\.norm" + _END, r"bev_encoder.can_bus.4.\1", ""),
    # Encoder layers: temporal attention, spatial attention, feed-forward.
    (_ENCODER + r"attentions\.0\.sampling_offsets" + _END, r"bev_encoder.layers.\1.temporal.offsets.\2", ""),
    (_ENCODER + r"attentions\.0\.attention_weights" + _END, r"bev_encoder.layers.\1.temporal.weights.\2", ""),
    (_ENCODER + r"attentions\.0\.value_proj" + _END, r"bev_encoder.layers.\1.temporal.value.\2", ""),
    (_ENCODER + r"attentions\.0\.output_proj" + _END, r"bev_encoder.layers.\1.temporal.output.\2", ""),
    (
        _ENCODER + r"attentions\.1\.deformable_attention\.sampling_offsets" + _END,
        r"bev_encoder.layers.\1.spatial.offsets.\2",
        "heights",
    ),
    (
        _ENCODER + r"attentions\.1\.deformable_attention\.attention_weights" + _END,
        r"bev_encoder.layers.\1.spatial.weights.\2",
        "heights",
    ),
    (
        _ENCODER + r"attentions\.1\.deformable_attention\.value_proj" + _END,
        r"bev_encoder.layers.\1.spatial.value.0.\2",
        "conv",
    ),
    (_ENCODER + r"attentions\.1\.output_proj" + _END, r"bev_encoder.layers.\1.spatial.output.\2", ""),
    (_ENCODER + r"ffns\.0\.layers\.0\.0" + _END, r"bev_encoder.layers.\1.feed_forward.layers.0.\2", ""),
    (_ENCODER + r"ffns\.0\.layers\.1" + _END, r"bev_encoder.layers.\1.feed_forward.layers.3.\2", ""),
    (_ENCODER + r"norms\.0" + _END, r"bev_encoder.layers.\1.temporal_norm.\2", ""),
    (_ENCODER + r"norms\.1" + _END, r"bev_encoder.layers.\1.spatial_norm.\2", ""),
    (_ENCODER + r"norms\.2" + _END, r"bev_encoder.layers.\1.feed_forward.norm.\2", ""),
    # Object queries of the perception stage, the decoder they pass through, and how they are carried on.
    (r"query_embedding\.weight", "track_head.new_queries.embedding.weight", ""),
    (r"reference_points" + _END, r"track_head.new_queries.reference.\1", ""),
    (_OBJECTS + r"attentions\.0\.attn\.(.+)", r"track_head.decoder.layers.\1.among.\2", ""),
    (
        _OBJECTS + r"attentions\.1\.sampling_offsets" + _END,
        r"track_head.decoder.layers.\1.map.offsets.\2",
        "",
    ),
    (
        _OBJECTS + r"attentions\.1\.attention_weights" + _END,
        r"track_head.decoder.layers.\1.map.weights.\2",
        "",
    ),
    (_OBJECTS + r"attentions\.1\.value_proj" + _END, r"track_head.decoder.layers.\1.map.value.\2", ""),
    (_OBJECTS + r"attentions\.1\.output_proj" + _END, r"track_head.decoder.layers.\1.map.output.\2", ""),
    (
        _OBJECTS + r"ffns\.0\.layers\.0\.0" + _END,
        r"track_head.decoder.layers.\1.feed_forward.layers.0.\2",
        "",
    ),
    (_OBJECTS + r"ffns\.0\.layers\.1" + _END, r"track_head.decoder.layers.\1.feed_forward.layers.3.\2", ""),
    (_OBJECTS + r"norms\.0" + _END, r"track_head.decoder.layers.\1.among_norm.\2", ""),
    (_OBJECTS + r"norms\.1" + _END, r"track_head.decoder.layers.\1.map_norm.\2", ""),
    (_OBJECTS + r"norms\.2" + _END, r"track_head.decoder.layers.\1.feed_forward.norm.\2", ""),
    (r"pts_bbox_head\.cls_branches\.(.+)", r"track_head.decoder.classes.\1", ""),
    (r"pts_bbox_head\.reg_branches\.(.+)", r"track_head.decoder.boxes.\1", ""),
    (r"pts_bbox_head\.past_traj_reg_branches\.(.+)", r"track_head.decoder.tracks.\1", ""),
    (r"(query_interact|memory_bank)\.(.+)", r"track_head.\1.\2", ""),
    # Vocabulary and ego status.
    (r"planning_head\.vocab", "head.vocabulary", ""),
    (r"planning_head\.pos_embed\.(0|2)" + _END, r"head.encoder.embed.\1.\2", ""),
    (r"planning_head\.status_embed\.0" + _END, r"head.status.embed.0.\1", ""),
    (r"planning_head\.encoder\.self_attn\.to_q\.weight", "head.encoder.qkv.weight", "query"),
    (r"planning_head\.encoder\.self_attn\.to_k\.weight", "head.encoder.qkv.weight", "key"),
    (r"planning_head\.encoder\.self_attn\.to_v\.weight", "head.encoder.qkv.weight", "value"),
    (r"planning_head\.encoder\.self_attn\.to_out\.weight", "head.encoder.output.weight", ""),
    (r"planning_head\.encoder\.norm1" + _END, r"head.encoder.norm.\1", ""),
    (r"planning_head\.encoder\.linear1" + _END, r"head.encoder.feed_forward.layers.0.\1", ""),
    (r"planning_head\.encoder\.linear2" + _END, r"head.encoder.feed_forward.layers.3.\1", ""),
    (r"planning_head\.encoder\.norm3" + _END, r"head.encoder.feed_forward.norm.\1", ""),
    # Decoder layers.
    (_DECODER + r"attentions\.0\.sampling_offsets" + _END, r"head.decoder.\1.attention.offsets.\2", ""),
    (_DECODER + r"attentions\.0\.attention_weights" + _END, r"head.decoder.\1.attention.weights.\2", ""),
    (_DECODER + r"attentions\.0\.value_proj" + _END, r"head.decoder.\1.attention.value.\2", "conv"),
    (_DECODER + r"attentions\.0\.output_proj\.(0|1)" + _END, r"head.decoder.\1.attention.output.\2.\3", ""),
    (_DECODER + r"ffns\.0\.layers\.0\.0" + _END, r"head.decoder.\1.feed_forward.layers.0.\2", ""),
    (_DECODER + r"ffns\.0\.layers\.1" + _END, r"head.decoder.\1.feed_forward.layers.3.\2", ""),
    (_DECODER + r"norms\.0" + _END, r"head.decoder.\1.norm.\2", ""),
    (_DECODER + r"norms\.1" + _END, r"head.decoder.\1.feed_forward.norm.\2", ""),
    # Scores.
    (r"planning_head\.heads\.imi\.(0|2|4)" + _END, r"head.imitation.\1.\2", ""),
    (r"planning_head\.heads\.noc\.(0|2)" + _END, r"head.sub_scores.no_at_fault_collisions.\1.\2", ""),
    (r"planning_head\.heads\.da\.(0|2)" + _END, r"head.sub_scores.drivable_area_compliance.\1.\2", ""),
    (r"planning_head\.heads\.ttc\.(0|2)" + _END, r"head.sub_scores.time_to_collision_within_bound.\1.\2", ""),
    (r"planning_head\.heads\.comfort\.(0|2)" + _END, r"head.sub_scores.comfort.\1.\2", ""),
    (r"planning_head\.heads\.progress\.(0|2)" + _END, r"head.sub_scores.ego_progress.\1.\2", ""),
)

UNUSED: tuple[tuple[str, str], ...] = (
    (r"pts_bbox_head\.transformer\.(decoder|reference_points)\..+", "detection decoder"),
    (r"pts_bbox_head\.(cls|reg|past_traj_reg)_branches\..+", "detection branches"),
    (r"pts_bbox_head\.(query_embedding\.weight|code_weights)", "detection queries"),
    (r"(query_embedding|reference_points|bbox_size_fc)\..+", "track queries"),
    (r"query_interact\..+", "query interaction"),
    (r"memory_bank\..+", "memory bank"),
    (r"(seg_head|boxes_query_embedding_layer)\..+", "map head"),
    (r"criterion\..+", "training criterion"),
)
"""Published parts that planners do not use, and what to call them in a report."""
