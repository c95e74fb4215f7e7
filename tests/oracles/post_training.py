"""The published objective, one decision and one plan at a time (reference: algengine.md 2.3 to 2.5)."""

from __future__ import annotations

import math
from collections.abc import Sequence

SHORT = {
    "noc": "no_at_fault_collisions",
    "da": "drivable_area_compliance",
    "ttc": "time_to_collision_within_bound",
    "comfort": "comfort",
    "progress": "ego_progress",
}
BCE_WEIGHT = {"noc": 3.0, "da": 3.0, "ttc": 2.0, "comfort": 1.0, "progress": 1.0}


def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def softmax(logits: Sequence[float]) -> list[float]:
    total = sum(math.exp(x) for x in logits)
    return [math.exp(x) / total for x in logits]


def shaped(outputs: dict, b: int) -> list[float]:
    """Return log pi of decision b."""
    u = []
    for k, p in enumerate(softmax(outputs["imitation"][b])):
        s = {short: sigmoid(outputs[name][b][k]) for short, name in SHORT.items()}
        u.append(
            0.05 * math.log(p)
            + 0.5 * math.log(max(s["noc"], 1e-6))
            + 0.5 * math.log(max(s["da"], 1e-6))
            + 8 * math.log(max(5 * s["ttc"] + 2 * s["comfort"] + 5 * s["progress"], 1e-6))
        )
    norm = math.log(sum(math.exp(x) for x in u))
    return [x - norm for x in u]


def published_losses(
    outputs: dict, reference: dict, rewards: dict, nearest: list, fail_mask: list, options: dict
) -> dict[str, float]:
    """Return every term; all arguments are nested lists."""
    batch, plans = len(fail_mask), len(outputs["imitation"][0])
    imitation, pg, entropy, rank = 0.0, 0.0, 0.0, 0.0
    bce = dict.fromkeys(SHORT, 0.0)
    for b in range(batch):
        y = nearest[b]
        counts = rewards["score"][b][y] > 0.8 and fail_mask[b] >= 0
        if options["hard_case_no_imi"] and fail_mask[b] != 0:
            counts = False
        probabilities = softmax(outputs["imitation"][b])
        weight = 1.0
        if options["importance_sampling"] and fail_mask[b] == 0:
            weight = min(max(probabilities[y] / softmax(reference["imitation"][b])[y], 0.01), 10.0)
        if counts:
            for k in range(plans):
                target = 0.2 / plans + (0.8 if k == y else 0.0)
                imitation -= weight * target * math.log(probabilities[k]) / batch
        log_pi = shaped(outputs, b)
        if options["orig_il"]:
            log_ref = [math.log(p) for p in softmax(reference["imitation"][b])]
        else:
            log_ref = shaped(reference, b)
        best_perfect = best_other = 0.0
        for k in range(plans):
            pi, ref = max(math.exp(log_pi[k]), 1e-6), max(math.exp(log_ref[k]), 1e-6)
            rho = 1.0 if fail_mask[b] != 0 else min(pi / ref, 10.0)
            score = rewards["score"][b][k]
            pg -= rho * score * log_pi[k] / (batch * plans)
            entropy += pi * log_pi[k] / batch
            if score == 1:
                best_perfect = max(best_perfect, pi)
            else:
                best_other = max(best_other, pi)
            for short, name in SHORT.items():
                s, r, t = sigmoid(outputs[name][b][k]), sigmoid(reference[name][b][k]), rewards[name][b][k]
                w = 1.0
                if options["importance_sampling"] and not options["orig_il"] and fail_mask[b] == 0:
                    w = min(max(max(s, 1e-6) / max(r, 1e-6), 0.01), 10.0)
                each = -t * math.log(s) - (1 - t) * math.log(1 - s)
                bce[short] += BCE_WEIGHT[short] * w * each / (batch * plans)
        rank += max(0.0, best_other + 0.2 - best_perfect) / batch
    return {
        "loss_imitation": imitation,
        "loss_pg": 0.01 * pg,
        "loss_entropy": entropy,
        "loss_rank": 2.0 * rank,
        **{f"loss_{SHORT[short]}": value for short, value in bce.items()},
    }
