"""The loss of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor
from torch.nn.functional import cross_entropy


def class_weights(labels: Sequence[int], n_classes: int) -> list[float]:
    """w_c = n / (C n_c): classes weigh alike in the loss (the paper, Methods).

    Raises
    ------
    ValueError
        If a class has no example.
    """
    counts = np.bincount(labels, minlength=n_classes)
    if (counts == 0).any():
        raise ValueError("a class has no training core")
    return [float(w) for w in len(labels) / (n_classes * counts)]


def batch_loss(
    logits: Tensor, labels: Tensor, *, of: Tensor, weight: Tensor | None, how: str
) -> Tensor:
    """The loss of a batch, or what a part of it adds to the batch's loss.

    weighted_sum is the paper's L = -1/m sum_i sum_c w_c y_ic log p_ic (Methods): the sum of the
    weighted terms over the batch size m, where PyTorch's own mean divides by the sum of weights.

    Parameters
    ----------
    logits, labels
        Of the part: (part, 4) and (part,).
    of
        Labels of the whole batch.
    weight
        Weights of the classes; None for none.
    how
        "weighted_sum", "weighted_mean" or "unweighted".
    """
    total = cross_entropy(logits.float(), labels, weight=weight, reduction="sum")
    if how == "weighted_mean" and weight is not None:
        return total / weight[of].sum()
    return total / len(of)
