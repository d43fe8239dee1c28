"""A plain classifier of stain intensity, to hold the network against.

It is what a reader of the paper could have in an afternoon: how much brown there is in a core, in
a few numbers, and a logistic regression. It knows nothing of where the brown is, in membranes or
elsewhere, by which HER2 is scored. What the network adds to it is what seeing adds to measuring.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skimage.color import hdx_from_rgb, separate_stains
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from her2pyramid.agreement.statistic import Floats
from her2pyramid.cores import CoreStore, core_picture
from her2pyramid.progress import track
from her2pyramid.pss import tissue_mask

log = logging.getLogger("her2pyramid")

PICTURE_PX: Final = 512
"""Side of the picture of a core that is measured."""

QUANTILES: Final = (0.1, 0.5, 0.9, 0.99)
THRESHOLDS_OD: Final = (0.1, 0.2, 0.4, 0.8)
N_FEATURES: Final = 1 + len(QUANTILES) + len(THRESHOLDS_OD)

STRENGTHS: Final = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Values of C, the inverse of the regression's regularisation, from which one is chosen."""
USUAL_STRENGTH: Final = 1.0
"""Where there is no validation core to choose on: scikit-learn's own."""

# scikit-image gives stains as shares of an optical density of 6: it takes 1e-6 for black.
_FULL_OD: Final = 6.0


def stain_features(picture: NDArray[np.uint8]) -> Floats:
    """How much DAB there is in a core.

    DAB is told from haematoxylin by colour deconvolution: A. C. Ruifrok and D. A. Johnston,
    Analytical and Quantitative Cytology and Histology 23 (2001) 291-299.

    Parameters
    ----------
    picture
        The core, (height, width, 3) RGB.

    Returns
    -------
    ndarray of float64, shape (N_FEATURES,)
        Of the optical density of DAB over the tissue: its mean, its `QUANTILES`, and the share of
        tissue above each of `THRESHOLDS_OD`. All 0 where there is no tissue.
    """
    tissue = tissue_mask(np.moveaxis(picture, 2, 0))
    if not tissue.any():
        return np.zeros(N_FEATURES)
    density = _FULL_OD * separate_stains(picture[tissue], hdx_from_rgb)[:, 1]
    above = [(density > threshold).mean() for threshold in THRESHOLDS_OD]
    return np.array([density.mean(), *np.quantile(density, QUANTILES), *above])


def features_of(split: pd.DataFrame, stores: Mapping[str, Path]) -> Floats:
    """The stain features of each core of a split, in its order.

    Parameters
    ----------
    split
        Columns of `SPLIT`.
    stores
        Core store by slide.

    Returns
    -------
    ndarray of float64, shape (cores, N_FEATURES)

    Raises
    ------
    Her2PyramidError
        If a core's picture can't be read.
    """
    found = np.empty((len(split), N_FEATURES))
    cores = track(split.itertuples(), len(split), "cores measured")
    for row, core in zip(found, cores, strict=True):
        store = CoreStore(stores[str(core.slide_id)], str(core.core_id))
        row[:] = stain_features(core_picture(store, PICTURE_PX))
    return found


def stain_scores(
    train: pd.DataFrame, val: pd.DataFrame, test: pd.DataFrame, stores: Mapping[str, Path]
) -> NDArray[np.int8]:
    """Score the test cores by their stain alone.

    A multinomial logistic regression of the standardised features, each label weighing the same,
    fitted to the training cores. As with the network, the validation cores serve to choose: of
    `STRENGTHS` the one with most of them right, of equals the lowest, which regularises most.

    Parameters
    ----------
    train, val, test
        Columns of `SPLIT`; `train` has a core or more.
    stores
        Core store by slide.

    Returns
    -------
    ndarray of int8, shape (test cores,)
        Only labels of training cores are given.

    Raises
    ------
    Her2PyramidError
        If a core's picture can't be read.
    """
    labels = train["label"].to_numpy(dtype=np.int8)
    if test.empty or len(np.unique(labels)) == 1:
        return np.full(len(test), labels[0], dtype=np.int8)
    measured = features_of(pd.concat([train, val, test]), stores)
    of_train, of_val, of_test = np.split(measured, np.cumsum([len(train), len(val)]))
    fitted = {strength: _fitted(of_train, labels, strength) for strength in STRENGTHS}
    chosen = USUAL_STRENGTH
    if len(val):
        truth = val["label"].to_numpy(dtype=np.int8)
        right = {c: int((model.predict(of_val) == truth).sum()) for c, model in fitted.items()}
        chosen = max(right, key=lambda strength: right[strength])
        told = (chosen, right[chosen], len(val))
        log.info("stain: C = %g has %d of %d validation cores right", *told)
    return np.asarray(fitted[chosen].predict(of_test), dtype=np.int8)


def _fitted(measured: Floats, labels: NDArray[np.int8], strength: float) -> Pipeline:
    regression = LogisticRegression(C=strength, class_weight="balanced", max_iter=10_000)
    return make_pipeline(StandardScaler(), regression).fit(measured, labels)
