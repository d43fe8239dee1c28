"""The paper's loss, whole and in parts."""

from __future__ import annotations

import math

import pytest
import torch

from her2pyramid.training.loss import batch_loss, class_weights

LOGITS = torch.tensor([[2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
LABELS = torch.tensor([0, 3])
WEIGHT = torch.tensor([0.5, 1.0, 1.0, 4.0])
LOG_P = (2.0 - math.log(math.exp(2) + 3), -math.log(math.e + 3))
EXPECTED = {
    "weighted_sum": -(0.5 * LOG_P[0] + 4.0 * LOG_P[1]) / 2,
    "weighted_mean": -(0.5 * LOG_P[0] + 4.0 * LOG_P[1]) / 4.5,
    "unweighted": -(LOG_P[0] + LOG_P[1]) / 2,
}


@pytest.mark.parametrize("how", EXPECTED)
def test_by_hand(how):
    weight = None if how == "unweighted" else WEIGHT
    loss = batch_loss(LOGITS, LABELS, of=LABELS, weight=weight, how=how)
    assert loss.item() == pytest.approx(EXPECTED[how])


@pytest.mark.parametrize("how", EXPECTED)
def test_parts_add_up_and_an_empty_one_adds_nothing(how):
    weight = None if how == "unweighted" else WEIGHT
    parts = [
        batch_loss(LOGITS[part], LABELS[part], of=LABELS, weight=weight, how=how).item()
        for part in (slice(0, 1), slice(1, 2), slice(2, 2))
    ]
    assert parts[2] == 0
    assert sum(parts) == pytest.approx(EXPECTED[how])


def test_class_weights():
    assert class_weights([0, 0, 0, 1, 2, 3], 4) == [0.5, 1.5, 1.5, 1.5]
    with pytest.raises(ValueError, match="no training core"):
        class_weights([0, 1, 2], 4)
