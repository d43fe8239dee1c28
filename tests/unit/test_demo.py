"""The demo cohort: its tables agree with one another, and its slides with the tables."""

from __future__ import annotations

from collections import Counter

import numpy as np
import openslide
import pandas as pd
import pytest
from skimage.color import rgb2hed

from her2pyramid.demo.cohort import array_size_px, simulate_tables, write_tables
from her2pyramid.demo.slide import render_slide, write_pyramid
from her2pyramid.demo.spec import DemoSpec
from her2pyramid.labels import consensus
from her2pyramid.labels.read_files import ReadFile, read_file
from her2pyramid.labels.reads import standing
from her2pyramid.labels.words import Vocabulary
from her2pyramid.scores import NAMES, parse
from her2pyramid.slides.opening import open_slide
from her2pyramid.slides.tiff import TiffSlide
from her2pyramid.tma_map.reading import read_tma_map

SLIDES = ("S1", "S2", "S3", "S4")
READERS = ("R1", "R2", "R3", "R4", "R5")
SMALL = DemoSpec(
    seed=5,
    patients=6,
    rows=2,
    cols=3,
    core_diameter_um=150,
    pitch_um=220,
    missing_fraction=0,
    torn_fraction=0,
    control_cores=False,
)


@pytest.fixture(scope="module")
def cohort():
    return simulate_tables(SLIDES, DemoSpec())


@pytest.fixture(scope="module")
def small_truth():
    """Six cores of one slide, made to be: 0, 1+, 2+, 3+ throughout, a missing and a torn one."""
    truth = simulate_tables(["S1"], SMALL).truth
    truth["status"] = ["present"] * 4 + ["missing", "torn"]
    for core, score in enumerate([0, 1, 2, 3, 3, 3]):
        truth.loc[core, "score"] = score
        truth.loc[core, [f"share_{s}" for s in range(4)]] = np.eye(4)[score]
    return truth


@pytest.fixture(scope="module")
def small_slide_path(small_truth, tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "S1.tif"
    render_slide("S1", small_truth, SMALL, path, threads=1)
    return path


@pytest.fixture(scope="module")
def small_slide(small_slide_path):
    with open_slide(small_slide_path) as slide:
        return slide.read(0, 0, 0, *slide.size)


def around(picture, core, half):
    """The square of a picture around a core's centre."""
    x, y = round(core.x), round(core.y)
    return picture[y - half : y + half, x - half : x + half]


def disc(core):
    half = round(core.radius)
    y, x = np.mgrid[-half:half, -half:half] + 0.5
    return np.hypot(x, y) <= 0.9 * core.radius


def reads_by_core(votes):
    """Scores of the five readers by core, and the adjudicator's."""
    five = votes[votes["reader_id"].isin(READERS)].groupby("core_id")["score"].agg(list)
    sixth = votes[votes["reader_id"] == "R6"].set_index("core_id")["score"]
    return five.to_dict(), sixth.to_dict()


def settled(reads):
    """Whether five reads need no adjudicator: too many ND, or one score that leads with two."""
    counts = Counter(reads)
    if counts.pop("ND", 0) >= 3:
        return True
    ranked = [*sorted(counts.values(), reverse=True), 0, 0]
    return ranked[0] >= 2 and ranked[0] > ranked[1]


def test_the_rule_of_this_test_itself():
    assert settled(["0", "0", "0", "1+", "1+"])
    assert settled(["ND", "ND", "ND", "1+", "2+"])
    assert not settled(["0", "0", "1+", "1+", "2+"])
    assert not settled(["0", "0", "1+", "1+", "ND"])
    assert not settled(["0", "1+", "2+", "ND", "ND"])


def test_every_position_holds_one_core(cohort):
    truth = cohort.truth
    assert len(truth) == 4 * 6 * 8
    assert truth["core_id"].is_unique
    assert not truth.duplicated(["slide_id", "row", "col"]).any()
    assert sorted(truth["row"].unique()) == list("ABCDEF")
    assert sorted(truth["col"].unique()) == list(range(1, 9))
    pd.testing.assert_frame_equal(cohort.tma_map, truth[list(cohort.tma_map.columns)])


def test_patients_have_two_or_three_cores_over_several_slides(cohort):
    by_patient = cohort.truth.dropna(subset="patient_id").groupby("patient_id")
    assert by_patient.ngroups == 72
    assert set(by_patient.size()) == {2, 3}
    assert (by_patient["slide_id"].nunique() > 1).mean() > 0.5
    assert cohort.truth["patient_id"].isna().sum() == len(SLIDES), "one control core a slide"


def test_scores_are_about_balanced_and_shares_fit_them(cohort):
    share = cohort.truth[[f"share_{s}" for s in range(4)]].to_numpy()
    score = cohort.truth["score"].to_numpy()
    np.testing.assert_allclose(share.sum(axis=1), 1, atol=2e-4)
    np.testing.assert_array_equal(share.argmax(axis=1), score)
    # The guideline's rule: the score is the highest that more than a tenth of the tumour has.
    highest = 3 - (share[:, ::-1] > 0.1).argmax(axis=1)
    np.testing.assert_array_equal(highest, score)
    apart = np.abs(np.arange(4)[None] - score[:, None])
    assert (share[apart > 1] == 0).all(), "only neighbouring scores mix"
    patients = cohort.truth["patient_id"].notna()
    assert cohort.truth[patients]["score"].value_counts(normalize=True).between(0.15, 0.35).all()


@pytest.mark.parametrize("number", range(4))
def test_cores_lie_on_a_turned_lattice_within_the_slide(cohort, number):
    spec = DemoSpec()
    cores = cohort.truth[cohort.truth["slide_id"] == SLIDES[number]]
    row = cores["row"].map(lambda label: ord(label) - ord("A")).to_numpy()
    grid = np.stack([cores["col"], row, np.ones(len(cores))], axis=1).astype(float)
    # Least squares: the steps of a column and of a row on the slide.
    steps, *_ = np.linalg.lstsq(grid, cores[["x", "y"]].to_numpy(), rcond=None)
    pitch_px = spec.pitch_um / spec.mpp
    np.testing.assert_allclose(np.hypot(*steps[:2].T), pitch_px, rtol=0.02)
    turned = np.rad2deg(np.arctan2(steps[0, 1], steps[0, 0]))
    if number == 1:
        assert turned == pytest.approx(spec.rotation_deg, abs=0.5)
    else:
        assert abs(turned) < 1.7
    assert abs(steps[0] @ steps[1]) < 0.02 * pitch_px**2, "rows and columns at right angles"
    width, height = array_size_px(spec)
    assert cores["x"].between(cores["radius"], width - cores["radius"]).all()
    assert cores["y"].between(cores["radius"], height - cores["radius"]).all()


def test_readers_see_the_cores_that_are_there_and_no_others(cohort):
    five, _ = reads_by_core(cohort.votes)
    truth = cohort.truth
    seen = truth[truth["patient_id"].notna() & (truth["status"] != "missing")]
    assert set(five) == set(seen["core_id"])
    assert all(len(reads) == 5 for reads in five.values())
    assert (truth["status"] == "missing").any()
    assert (truth["status"] == "torn").any()


def test_readers_agree_as_readers_do(cohort):
    five, _ = reads_by_core(cohort.votes)
    patterns = Counter(
        "-".join(str(n) for n in sorted(Counter(reads).values(), reverse=True))
        for reads in five.values()
    )
    assert 0.35 <= patterns["5"] / len(five) <= 0.55
    assert patterns["4-1"] > patterns["3-2"] > patterns["2-2-1"] >= 2
    assert any(reads.count("ND") >= 3 for reads in five.values()), "some cores are excluded"
    # Readers differ: the one who reads highest is above the one who reads lowest.
    scores = cohort.votes[cohort.votes["score"] != "ND"]
    means = scores["score"].str.rstrip("+").astype(int).groupby(scores["reader_id"]).mean()
    assert means["R5"] > means["R1"] + 0.05


def test_the_adjudicator_reads_what_the_five_leave_open_but_for_one_core(cohort):
    five, sixth = reads_by_core(cohort.votes)
    open_cores = {core for core, reads in five.items() if not settled(reads)}
    assert set(sixth) < open_cores
    assert len(open_cores - set(sixth)) == 1


def test_the_consensus_finds_every_kind_of_core(cohort):
    reads = cohort.votes.assign(score=cohort.votes["score"].map(parse))
    reasons: Counter[str | None] = Counter()
    deciders: Counter[str] = Counter()
    for _, core in reads.groupby("core_id"):
        by_reader = dict(zip(core["reader_id"], core["score"].astype(object), strict=True))
        by_reader = {r: None if pd.isna(s) else int(s) for r, s in by_reader.items()}
        sixth = [by_reader.pop("R6")] if "R6" in by_reader else []
        decision = consensus.resolve(by_reader, sixth)
        reasons[decision.reason] += 1
        deciders[decision.decided_by] += 1
        needed = consensus.resolve(by_reader).reason in (consensus.TIE, consensus.TOO_FEW)
        assert needed or not sixth, "the adjudicator reads only what the five leave open"
    assert deciders["adjudicator"] >= 1
    assert reasons[consensus.NON_DIAGNOSTIC] >= 1
    assert reasons[consensus.TIE] + reasons[consensus.TOO_FEW] == 1, "one core waits"
    assert reasons[None] > 0.9 * reasons.total()


def test_the_written_tables_are_what_the_workflow_reads(cohort, tmp_path):
    def write(folder, tables):
        maps = {slide: folder / f"{slide}.csv" for slide in SLIDES}
        votes, truth = folder / "votes.csv", folder / "truth.csv"
        write_tables(tables, maps=maps, votes=votes, truth=truth)
        return maps, votes, truth

    maps, votes, truth = write(tmp_path / "a", cohort)
    rows = [row for slide in SLIDES for row in read_tma_map(maps[slide], slide)]
    assert [row.core_id for row in rows] == cohort.tma_map["core_id"].tolist()
    assert sum(row.patient_id is None for row in rows) == len(SLIDES)
    standing_reads = standing(read_file(ReadFile(path=str(votes)), Vocabulary()).reads)
    told = {
        (r.core_id, r.reader_id): "ND" if r.score is None else NAMES[r.score]
        for r in standing_reads
    }
    wanted = cohort.votes.set_index(["core_id", "reader_id"])["score"].to_dict()
    assert len(wanted) - len(told) == 1, "one read is withdrawn"
    assert told.items() <= wanted.items(), "of two reads the later is the vote"
    assert len(cohort.reads) > 1.05 * len(wanted)
    pd.testing.assert_frame_equal(
        pd.read_csv(truth)[["x", "y", "share_0"]], cohort.truth[["x", "y", "share_0"]]
    )

    write(tmp_path / "b", simulate_tables(SLIDES, DemoSpec()))
    for file in sorted((tmp_path / "a").iterdir()):
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name
    other = simulate_tables(SLIDES, DemoSpec(seed=2))
    assert not other.truth.equals(cohort.truth)


def test_the_smallest_cohort_has_every_score():
    spec = DemoSpec(patients=4, rows=2, cols=2, control_cores=False)
    truth = simulate_tables(["only"], spec).truth
    assert truth["patient_id"].nunique() == 4
    assert len(truth) == 4
    # Patients have one of each score; now and then a core is a step off its patient's. Were
    # patients drawn by their shares alone, one cohort in eleven would have all four.
    cohorts = [simulate_tables(["only"], spec.model_copy(update={"seed": s})) for s in range(20)]
    whole = [set(cohort.truth["score"]) == {0, 1, 2, 3} for cohort in cohorts]
    assert sum(whole) >= 6


def test_pixels_are_the_same_for_any_number_of_threads(small_truth, small_slide, tmp_path):
    render_slide("S1", small_truth, SMALL, tmp_path / "again.tif", threads=3)
    with open_slide(tmp_path / "again.tif") as slide:
        np.testing.assert_array_equal(slide.read(0, 0, 0, *slide.size), small_slide)


def test_a_core_looks_the_same_whatever_else_the_cohort_holds(small_truth, small_slide, tmp_path):
    alone = small_truth.iloc[:1]
    render_slide("S1", alone, SMALL, tmp_path / "one.tif", threads=1)
    with open_slide(tmp_path / "one.tif") as slide:
        one = slide.read(0, 0, 0, *slide.size)
    core = small_truth.iloc[0]
    half = round(core.radius * 0.6)
    np.testing.assert_array_equal(around(one, core, half), around(small_slide, core, half))


def test_tissue_lies_where_the_truth_says(small_truth, small_slide):
    glass = np.median(small_slide.reshape(-1, 3), axis=0)
    tissue = (small_slide.astype(float) < glass - 10).any(axis=2)
    for core in small_truth.itertuples():
        covered = around(tissue, core, round(core.radius))[disc(core)].mean()
        if core.status == "present":
            assert covered > 0.75, core.core_id
        elif core.status == "missing":
            assert covered < 0.05, core.core_id
        else:
            assert 0.1 < covered < 0.85, core.core_id
    assert (glass > 230).all()
    height, width = tissue.shape
    y, x = np.mgrid[:height, :width]
    elsewhere = np.ones_like(tissue)
    for core in small_truth.itertuples():
        elsewhere &= np.hypot(x - core.x, y - core.y) > 1.1 * core.radius
    assert tissue[elsewhere].mean() < 0.01


def test_the_higher_the_score_the_browner(small_truth, small_slide):
    # An independent unmixing of the stains.
    dab = rgb2hed(small_slide)[..., 2]
    brown = [
        around(dab, core, round(core.radius))[disc(core)].mean()
        for core in small_truth.iloc[:4].itertuples()
    ]
    assert np.all(np.diff(brown) > 0)
    assert brown[3] - brown[2] > brown[1] - brown[0]


@pytest.mark.parametrize("mpp", [0.25, 0.5])
def test_two_readers_see_the_same_levels_scale_and_colours(tmp_path, mpp):
    y, x = np.mgrid[:1664, :2048] / 40
    pixels = np.stack([200 + 40 * np.sin(x), 200 + 40 * np.cos(y), 220 + 0 * x], axis=2)
    pixels = pixels.astype(np.uint8)
    halved = pixels.reshape(832, 2, 1024, 2, 3).mean(axis=(1, 3))
    path = tmp_path / "s.tif"
    write_pyramid(pixels, path, mpp=mpp, threads=2)
    with openslide.OpenSlide(path) as other, open_slide(path) as slide:
        assert isinstance(slide, TiffSlide)
        assert slide.level_sizes == [(2048, 1664), (1024, 832)]
        assert list(other.level_dimensions) == slide.level_sizes
        assert slide.mpp == pytest.approx(mpp, rel=1e-3)
        for axis in "xy":
            assert float(other.properties[f"openslide.mpp-{axis}"]) == pytest.approx(mpp, rel=1e-3)
        for level, written in enumerate((pixels, halved)):
            # All but the edge, where JPEG blends in what fills up the last tiles.
            height, width = written.shape[0] - 16, written.shape[1] - 16
            read = slide.read(level, 0, 0, width, height)
            rgba = np.asarray(other.read_region((0, 0), level, (width, height)))
            np.testing.assert_array_equal(read, rgba[..., :3])
            error = np.abs(read.astype(float) - written[:height, :width])
            assert error.max() <= 12
            assert error.mean() < 3
    assert [p.name for p in tmp_path.iterdir()] == ["s.tif"], "nothing half-written is left"


def test_a_rendered_slide_has_the_scale_and_size_of_its_array(small_slide_path):
    # 3 x 2 cores, 440 px apart, and three quarters of that around: 1540 by 1100 px, filled up.
    with openslide.OpenSlide(small_slide_path) as slide:
        assert slide.dimensions == (2048, 1536)
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(0.5, rel=1e-3)
