"""The tables of agreement between readers."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from her2pyramid.tables.table import Table, column

ALL: Final = "all"
SCOPES: Final = ("cohort", "slide", "reader", "pair", "intra_reader")
STATISTICS: Final = (
    # cohort and slide
    "percent_agreement",
    "unanimous_share",
    "mean_linear_kappa",
    "mean_quadratic_kappa",
    "fleiss_kappa",
    "krippendorff_alpha",
    "gwet_ac2_linear",
    "gwet_ac2_ordinal",
    "gwet_ac2_quadratic",
    # pair and intra_reader, beside percent_agreement
    "linear_kappa",
    "quadratic_kappa",
    # reader, beside mean_linear_kappa and mean_quadratic_kappa
    "mean_percent_agreement",
    "consensus_percent_agreement",
    "consensus_linear_kappa",
    "consensus_quadratic_kappa",
    "consensus_difference",
    "non_diagnostic_share",
)

AGREEMENT: Final = Table(
    "agreement",
    pa.schema(
        [
            column(
                "scope",
                pa.string(),
                "cohort; slide; reader (one against the others); pair (two readers); intra_reader "
                "(a reader's two reads of a core)",
            ),
            column("subject", pa.string(), "all, the slide, or the reader"),
            column(
                "other_reader",
                pa.string(),
                "second reader of a pair; empty otherwise",
                optional=True,
            ),
            column("statistic", pa.string(), "what is measured"),
            column(
                "value",
                pa.float64(),
                "shares and agreement 0-1, coefficients up to 1, difference in scores (positive: "
                "the reader reads higher); empty where undefined",
                optional=True,
            ),
            column(
                "low",
                pa.float64(),
                "lower end of the 95 % interval over patients; empty if too few resamples "
                "define the statistic",
                optional=True,
            ),
            column("high", pa.float64(), "upper end of it", optional=True),
            column("cores", pa.int64(), "cores that the value rests on"),
            column("patients", pa.int64(), "patients with one of these cores or more"),
            column(
                "left_out",
                pa.int64(),
                "cores that were read (by the reader, or by one of the pair) but can't be used "
                "here: too few scorable reads, or no consensus of the others",
            ),
        ]
    ),
    key=("scope", "subject", "other_reader", "statistic"),
    allowed={"scope": SCOPES, "statistic": STATISTICS},
)

ONEST: Final = Table(
    "ONEST",
    pa.schema(
        [
            column("readers", pa.int32(), "number of readers, m"),
            column(
                "mean",
                pa.float64(),
                "share of cores on which m readers all agree, mean over all sets of m readers; "
                "empty without cores that all readers scored",
                optional=True,
            ),
            column(
                "low",
                pa.float64(),
                "lower end of the 95 % interval of the mean, over patients; empty if undefined",
                optional=True,
            ),
            column("high", pa.float64(), "upper end of it", optional=True),
            column(
                "lowest",
                pa.float64(),
                "that share for the sets of readers that agree least, of those looked at",
                optional=True,
            ),
            column(
                "highest",
                pa.float64(),
                "for those that agree most, of those looked at",
                optional=True,
            ),
            column("sets", pa.int64(), "sets of m readers looked at for lowest and highest"),
            column("all_sets", pa.bool_(), "true if these are all sets, false if drawn at random"),
            column("cores", pa.int64(), "cores that all readers scored"),
            column("patients", pa.int64(), "patients with one of these cores or more"),
            column("left_out", pa.int64(), "cores that were read, but not scored by all readers"),
        ]
    ),
    key=("readers",),
)
"""Observers needed to evaluate subjective tests: agreement against the number of readers."""

PATTERNS: Final = Table(
    "vote patterns",
    pa.schema(
        [
            column(
                "pattern",
                pa.string(),
                "sizes of the groups of agreeing readers, largest first, and non-diagnostic reads",
            ),
            column("cores", pa.int64(), "cores with this pattern"),
            column("patients", pa.int64(), "patients with one of these cores or more"),
            column("share", pa.float64(), "of all cores that were read"),
            column(
                "low",
                pa.float64(),
                "lower end of the 95 % interval over patients",
                optional=True,
            ),
            column("high", pa.float64(), "upper end of it", optional=True),
        ]
    ),
    key=("pattern",),
)
