"""The parameters of mmdet's Mask2Former (Swin backbone) under the names that transformers 5.23 gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# mmdet's name, transformers' name. {i} and {j} are numbers, {p} is what is left of the name, {qkv} three projections
# that mmdet holds in one tensor, one after the other along the first axis.
_TABLE = """
backbone.patch_embed.projection.{p} E.swin.embeddings.patch_embeddings.projection.{p}
backbone.patch_embed.norm.{p} E.swin.embeddings.norm.{p}
backbone.stages.{i}.blocks.{j}.norm1.{p} E.swin.encoder.layers.{i}.blocks.{j}.layernorm_before.{p}
backbone.stages.{i}.blocks.{j}.norm2.{p} E.swin.encoder.layers.{i}.blocks.{j}.layernorm_after.{p}
backbone.stages.{i}.blocks.{j}.attn.w_msa.relative_position_bias_table \
 E.swin.encoder.layers.{i}.blocks.{j}.attention.relative_position_bias.relative_position_bias_table
backbone.stages.{i}.blocks.{j}.attn.w_msa.qkv.{p} E.swin.encoder.layers.{i}.blocks.{j}.attention.{qkv}.{p}
backbone.stages.{i}.blocks.{j}.attn.w_msa.proj.{p} E.swin.encoder.layers.{i}.blocks.{j}.attention.o_proj.{p}
backbone.stages.{i}.blocks.{j}.ffn.layers.0.0.{p} E.swin.encoder.layers.{i}.blocks.{j}.mlp.fc1.{p}
backbone.stages.{i}.blocks.{j}.ffn.layers.1.{p} E.swin.encoder.layers.{i}.blocks.{j}.mlp.fc2.{p}
backbone.stages.{i}.downsample.{p} E.swin.encoder.layers.{i}.downsample.{p}
backbone.norm0.{p} E.hidden_states_norms.stage1.{p}
backbone.norm1.{p} E.hidden_states_norms.stage2.{p}
backbone.norm2.{p} E.hidden_states_norms.stage3.{p}
backbone.norm3.{p} E.hidden_states_norms.stage4.{p}
panoptic_head.pixel_decoder.input_convs.{i}.conv.{p} D.input_projections.{i}.0.{p}
panoptic_head.pixel_decoder.input_convs.{i}.gn.{p} D.input_projections.{i}.1.{p}
panoptic_head.pixel_decoder.encoder.layers.{i}.attentions.0.{p} D.encoder.layers.{i}.self_attn.{p}
panoptic_head.pixel_decoder.encoder.layers.{i}.norms.0.{p} D.encoder.layers.{i}.self_attn_layer_norm.{p}
panoptic_head.pixel_decoder.encoder.layers.{i}.norms.1.{p} D.encoder.layers.{i}.final_layer_norm.{p}
panoptic_head.pixel_decoder.encoder.layers.{i}.ffns.0.layers.0.0.{p} D.encoder.layers.{i}.fc1.{p}
panoptic_head.pixel_decoder.encoder.layers.{i}.ffns.0.layers.1.{p} D.encoder.layers.{i}.fc2.{p}
panoptic_head.pixel_decoder.level_encoding.weight D.level_embed
panoptic_head.pixel_decoder.lateral_convs.0.conv.{p} D.adapter_1.0.{p}
panoptic_head.pixel_decoder.lateral_convs.0.gn.{p} D.adapter_1.1.{p}
panoptic_head.pixel_decoder.output_convs.0.conv.{p} D.layer_1.0.{p}
panoptic_head.pixel_decoder.output_convs.0.gn.{p} D.layer_1.1.{p}
panoptic_head.pixel_decoder.mask_feature.{p} D.mask_projection.{p}
panoptic_head.transformer_decoder.layers.{i}.attentions.0.attn.{p} T.decoder.layers.{i}.cross_attn.{p}
panoptic_head.transformer_decoder.layers.{i}.attentions.1.attn.in_proj_{p} T.decoder.layers.{i}.self_attn.{qkv}.{p}
panoptic_head.transformer_decoder.layers.{i}.attentions.1.attn.out_proj.{p} \
 T.decoder.layers.{i}.self_attn.out_proj.{p}
panoptic_head.transformer_decoder.layers.{i}.norms.0.{p} T.decoder.layers.{i}.cross_attn_layer_norm.{p}
panoptic_head.transformer_decoder.layers.{i}.norms.1.{p} T.decoder.layers.{i}.self_attn_layer_norm.{p}
panoptic_head.transformer_decoder.layers.{i}.norms.2.{p} T.decoder.layers.{i}.final_layer_norm.{p}
panoptic_head.transformer_decoder.layers.{i}.ffns.0.layers.0.0.{p} T.decoder.layers.{i}.fc1.{p}
panoptic_head.transformer_decoder.layers.{i}.ffns.0.layers.1.{p} T.decoder.layers.{i}.fc2.{p}
panoptic_head.transformer_decoder.post_norm.{p} T.decoder.layernorm.{p}
panoptic_head.query_embed.weight T.queries_embedder.weight
panoptic_head.query_feat.weight T.queries_features.weight
panoptic_head.level_embed.weight T.level_embed.weight
panoptic_head.cls_embed.{p} class_predictor.{p}
panoptic_head.mask_embed.0.{p} T.decoder.mask_predictor.mask_embedder.0.0.{p}
panoptic_head.mask_embed.2.{p} T.decoder.mask_predictor.mask_embedder.1.0.{p}
panoptic_head.mask_embed.4.{p} T.decoder.mask_predictor.mask_embedder.2.0.{p}
"""
_PREFIXES = {
    "E": "model.pixel_level_module.encoder",
    "D": "model.pixel_level_module.decoder",
    "T": "model.transformer_module",
}
_PROJECTIONS = ("q_proj", "k_proj", "v_proj")

# Buffers that are computed, and a weight of the loss.
_DROPPED = re.compile(r".*relative_position_index|panoptic_head\.loss_cls\.class_weight")


def _pattern(template: str) -> re.Pattern[str]:
    """What matches a name of this form, with its parts as groups."""
    parts = {"i": r"(?P<i>\d+)", "j": r"(?P<j>\d+)", "p": r"(?P<p>.+)", "qkv": _PROJECTIONS[0]}
    return re.compile(re.sub(r"\\\{(\w+)\\\}", lambda found: parts[found[1]], re.escape(template)))


def _rows() -> list[tuple[str, str]]:
    pairs = (line.split() for line in _TABLE.strip().splitlines())
    return [(mmdet, re.sub(r"^([EDT])\.", lambda found: _PREFIXES[found[1]] + ".", ours)) for mmdet, ours in pairs]


_ROWS = [(mmdet, ours, _pattern(mmdet), _pattern(ours)) for mmdet, ours in _rows()]


def targets(name: str) -> tuple[str, ...] | None:
    """Where an mmdet parameter goes: one name, three for fused projections, none when dropped; None when unknown."""
    if _DROPPED.fullmatch(name):
        return ()
    for _, ours, pattern, _ in _ROWS:
        found = pattern.fullmatch(name)
        if found:
            projections = _PROJECTIONS if "{qkv}" in ours else ("",)
            return tuple(ours.format(qkv=projection, **found.groupdict()) for projection in projections)
    return None


def converted(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The parameters of an mmdet checkpoint for transformers' ``Mask2FormerForUniversalSegmentation``.

    Raises:
        KeyError: a parameter belongs to another model; the message names it.
    """
    out: dict[str, torch.Tensor] = {}
    for name, tensor in state.items():
        places = targets(name)
        if places is None:
            raise KeyError(name)
        if len(places) == 3:
            out |= dict(zip(places, tensor.chunk(3), strict=True))
        elif places:
            out[places[0]] = _reordered(tensor) if ".downsample." in name else tensor
    return out


def mmdet_shapes(state: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    """Names and shapes that mmdet's checkpoint has for the parameters of transformers' network."""
    shapes = {}
    for name, tensor in state.items():
        for mmdet, ours, _, pattern in _ROWS:
            found = pattern.fullmatch(name)
            if found:
                first, *rest = tensor.shape
                shapes[mmdet.format(**found.groupdict())] = (first * 3 if "{qkv}" in ours else first, *rest)
                break
    return shapes


def _reordered(tensor: torch.Tensor) -> torch.Tensor:
    """Patch merging: mmdet unfolds four neighbours as 4·channel + 2·row + column, transformers joins 2·column + row."""
    channels = tensor.shape[-1] // 4
    blocks = tensor.reshape(*tensor.shape[:-1], channels, 2, 2)
    order = (*range(tensor.ndim - 1), tensor.ndim + 1, tensor.ndim, tensor.ndim - 1)
    return blocks.permute(order).reshape(tensor.shape).contiguous()
