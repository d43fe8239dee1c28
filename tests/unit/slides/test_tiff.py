"""TIFF slides: every way of storing RGB, and what is no RGB slide."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import tifffile

from her2pyramid.errors import Her2PyramidError
from her2pyramid.slides.opening import open_slide
from her2pyramid.slides.openslide import OpenSlideSlide
from her2pyramid.slides.tiff import TiffSlide
from tests.unit.slides.pictures import assert_holds, noise, pyramid, ramps

TILED = {"tile": (128, 256), "compression": "zlib", "photometric": "rgb"}


def write(path, levels, *, subifds=False, ome=False, big=False, byteorder=None, **options):
    """A pyramid, its levels one after the other or as sub-IFDs of the first."""
    with tifffile.TiffWriter(path, ome=ome, bigtiff=big, byteorder=byteorder) as file:
        for number, pixels in enumerate(levels):
            first = {"subifds": len(levels) - 1} if subifds and not number else {}
            later = {"subfiletype": 1} if number else {}
            file.write(pixels, **TILED | options | first | later)
    return path


def refused(path):
    with pytest.raises(Her2PyramidError) as caught:
        open_slide(path)
    assert caught.value.where == str(path)
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize(
    "options",
    [
        {"compression": None},
        {"compression": "lzw"},
        {"compression": "zlib", "predictor": True},
        {"compression": "zstd"},
        {"compression": "jpeg2000", "compressionargs": {"reversible": True, "level": 0}},
        {"compression": "jpeg", "compressionargs": {"level": 95}},
        {"compression": "jpeg", "compressionargs": {"level": 95}, "subsampling": (2, 2)},
        {"tile": None, "rowsperstrip": 7},
        {"tile": None, "rowsperstrip": 501},
        {"tile": None, "rowsperstrip": 501, "compression": None},
        {"tile": None, "rowsperstrip": 64, "compression": "jpeg"},
        {"big": True},
        {"byteorder": ">"},
        {"subifds": True},
        {"subifds": True, "ome": True},
    ],
)
def test_every_way_of_storing_rgb(tmp_path, options):
    lossy = options.get("compression") == "jpeg"
    levels = pyramid(ramps(501, 703) if lossy else noise(501, 703), 3)
    path = write(tmp_path / "slide.bin", levels, **options)
    if lossy:
        decoded = [tifffile.imread(path, level=level) for level in range(3)]
        for stored, level in zip(decoded, levels, strict=True):
            assert np.abs(stored.astype(int) - level).mean() < 3
        levels = decoded
    with open_slide(path) as slide:
        assert isinstance(slide, TiffSlide)
        assert_holds(slide, levels)


@pytest.mark.parametrize(("subifds", "ome"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("stored", [{}, {"tile": None, "rowsperstrip": 100}])
def test_planar(tmp_path, stored, subifds, ome):
    levels = pyramid(noise(301, 403), 2)
    planes = [np.moveaxis(level, 2, 0) for level in levels]
    path = write(
        tmp_path / "s.tif", planes, planarconfig="separate", subifds=subifds, ome=ome, **stored
    )
    with open_slide(path) as slide:
        assert isinstance(slide, TiffSlide)
        assert_holds(slide, levels)


@pytest.mark.parametrize("names", ["RGB", ["Red", "Green", "Blue"]])
def test_ome_planes_that_are_named_after_colours(tmp_path, names):
    levels = pyramid(noise(301, 403), 2)
    path = write(
        tmp_path / "s.ome.tif",
        [np.moveaxis(level, 2, 0) for level in levels],
        photometric="minisblack",
        ome=True,
        subifds=True,
        metadata={"axes": "CYX", "Channel": {"Name": list(names)}},
    )
    with open_slide(path) as slide:
        assert_holds(slide, levels)


def ome_xml(channels, *, size_c=3, physical=""):
    return (
        '<?xml version="1.0"?>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="403" SizeY="301" '
        f'SizeZ="1" SizeT="1" SizeC="{size_c}" {physical}>{channels}'
        f'<TiffData IFD="0" PlaneCount="{size_c}"/></Pixels></Image></OME>'
    )


def test_ome_planes_of_a_channel_of_three_samples(tmp_path):
    pixels = noise(301, 403)
    about = ome_xml('<Channel ID="Channel:0" SamplesPerPixel="3"/>', physical='PhysicalSizeX="0.5"')
    with tifffile.TiffWriter(tmp_path / "s.tif", ome=False) as file:
        for channel in range(3):
            described = {"description": about} if channel == 0 else {}
            plane = pixels[..., channel]
            options = TILED | {"photometric": "minisblack"}
            file.write(plane, metadata=None, **options, **described)
    with open_slide(tmp_path / "s.tif") as slide:
        assert slide.mpp == 0.5
        assert_holds(slide, [pixels])


@pytest.mark.parametrize("kind", ["assocalpha", "unassalpha", "unspecified"])
@pytest.mark.parametrize("planar", [False, True])
def test_transparent_is_background_and_other_fourth_channels_are_nothing(tmp_path, kind, planar):
    pixels = noise(301, 403)
    fourth = np.full((301, 403, 1), 255, np.uint8)
    fourth[40:90, 60:130] = 0
    fourth[90:95] = 1
    stored = np.concatenate([pixels, fourth], axis=2)
    options = {"extrasamples": [kind]}
    if planar:
        stored, options = np.moveaxis(stored, 2, 0), options | {"planarconfig": "separate"}
    path = write(tmp_path / "s.tif", [stored], **options)
    expected = pixels.copy()
    if kind != "unspecified":
        expected[40:90, 60:130] = 255
    with open_slide(path) as slide:
        assert_holds(slide, [expected])


@pytest.mark.parametrize("compression", ["zlib", "jpeg"])
def test_tiles_that_were_not_stored_are_background(tmp_path, compression):
    pixels = ramps(384, 768)
    path = write(tmp_path / "s.tif", [pixels], compression=compression)
    with tifffile.TiffFile(path, mode="r+") as file:
        counts = list(file.pages[0].databytecounts)
        counts[1] = counts[5] = 0  # of 3 x 3 tiles
        file.pages[0].tags["TileByteCounts"].overwrite(counts)
    expected = pixels.copy()
    expected[:128, 256:512] = 255
    expected[128:256, 512:] = 255
    with open_slide(path) as slide:
        assert_holds(slide, [expected], within=12 if compression == "jpeg" else 0)


def write_svs(path, baseline, *, description="Aperio Image Library v11|AppMag = 20|MPP = 0.4990"):
    """As the scanner orders its pages: baseline, thumbnail, levels, label, macro."""
    striped = {"tile": None, "rowsperstrip": 16, "metadata": None}
    with tifffile.TiffWriter(path) as file:
        file.write(baseline, description=description, metadata=None, **TILED)
        file.write(baseline[::3, ::3], description="Aperio thumbnail", **TILED | striped)
        file.write(baseline[::2, ::2], description="Aperio level", metadata=None, **TILED)
        label = noise(700, 900, 8)
        file.write(label, description="Aperio label", subfiletype=1, **TILED | striped)
        macro = noise(800, 950, 9)
        file.write(macro, description="Aperio macro", subfiletype=9, **TILED | striped)
    return path


def test_svs_is_its_baseline_though_label_and_macro_are_larger(tmp_path):
    levels = pyramid(noise(501, 703), 2)
    with open_slide(write_svs(tmp_path / "s.svs", levels[0])) as slide:
        assert isinstance(slide, TiffSlide)
        assert slide.mpp == pytest.approx(0.499)
        assert_holds(slide, levels)
    no_mpp = write_svs(
        tmp_path / "n.svs", levels[0], description="Aperio Image Library|AppMag = 20"
    )
    with open_slide(no_mpp) as slide:
        assert slide.mpp is None


def test_the_largest_of_several_pictures_is_the_slide(tmp_path):
    slide_pixels = noise(501, 703)
    with tifffile.TiffWriter(tmp_path / "s.tif") as file:
        file.write(noise(200, 190, 1), **TILED)
        file.write(slide_pixels, **TILED)
        file.write(noise(300, 290, 2), **TILED)
    with open_slide(tmp_path / "s.tif") as slide:
        assert_holds(slide, [slide_pixels])


YCBCR_FROM_RGB = np.array(  # JFIF
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
)


def test_aperio_jpeg_2000_of_ycbcr_gets_its_colours_right(tmp_path):
    """The compression alone says YCbCr; the colour tag says RGB."""
    pixels = ramps(512, 512)
    ycbcr = (pixels @ YCBCR_FROM_RGB.T + [0, 128, 128]).round().clip(0, 255).astype(np.uint8)
    path = write(
        tmp_path / "s.svs",
        [ycbcr],
        tile=(256, 256),
        compression="jpeg2000",
        compressionargs={"reversible": True, "level": 0, "mct": False, "codecformat": "j2k"},
        description="Aperio Image Library|MPP = 0.25",
        metadata=None,
    )
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["Compression"].overwrite(33003)
    with open_slide(path) as slide:
        assert isinstance(slide, OpenSlideSlide)
        assert_holds(slide, [pixels], within=3)


@pytest.mark.parametrize(
    ("stated", "mpp"),
    [
        ({"resolution": (40_000, 40_000), "resolutionunit": "CENTIMETER"}, 0.25),
        ({"resolution": (50_800, 50_800), "resolutionunit": "INCH"}, 0.5),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, None),
        ({"resolution": (4, 4), "resolutionunit": "NONE"}, None),
        ({}, None),
        ({"ome": True, "metadata": {"PhysicalSizeX": 0.25}}, 0.25),
        ({"ome": True, "metadata": {"PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm"}}, 0.25),
        ({"ome": True, "metadata": {"PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm"}}, 0.25),
        ({"ome": True, "metadata": {"PhysicalSizeX": 0.0005, "PhysicalSizeXUnit": "mm"}}, 0.5),
        ({"ome": True, "metadata": {"PhysicalSizeX": 1, "PhysicalSizeXUnit": "pixel"}}, None),
        ({"ome": True, "metadata": {"PhysicalSizeX": 400}}, None),
        (
            {"ome": True, "resolution": (40_000, 40_000), "resolutionunit": "CENTIMETER"},
            0.25,
        ),
    ],
)
def test_mpp_of_tags_and_of_ome_metadata(tmp_path, stated, mpp):
    with open_slide(write(tmp_path / "s.tif", [noise(60, 50)], **stated)) as slide:
        assert slide.mpp == (mpp and pytest.approx(mpp))


GREY = noise(301, 403)[..., 0]
RGB = noise(301, 403)
FLUORESCENCE = "8-bit, 3 channels stored apart, as of fluorescence"


@pytest.mark.parametrize(
    ("what", "pixels", "options"),
    [
        ("8-bit, one channel", GREY, {"photometric": "minisblack"}),
        ("16-bit, one channel", GREY.astype(np.uint16), {"photometric": "minisblack"}),
        ("16-bit, 3 channels", RGB.astype(np.uint16), {}),
        ("8-bit signed, 3 channels", RGB.astype(np.int8), {}),
        ("32-bit floating point, 3 channels", RGB.astype(np.float32), {}),
        ("1-bit, one channel", GREY > 9, {"photometric": "minisblack", "compression": None}),
        (
            "a picture with a palette of colours",
            GREY,
            {"photometric": "palette", "colormap": np.zeros((3, 256), np.uint16)},
        ),
        (
            "8-bit, 2 channels",
            RGB[..., :2],
            {"photometric": "minisblack", "planarconfig": "contig"},
        ),
        (
            "8-bit, 3 channels which the file calls grey",
            RGB,
            {"photometric": "minisblack", "planarconfig": "contig"},
        ),
        (
            "8-bit, 4 channels which the file calls CMYK",
            np.dstack([RGB, GREY]),
            {"photometric": "separated"},
        ),
        (
            FLUORESCENCE,
            np.moveaxis(RGB, 2, 0),
            {"ome": True, "photometric": "minisblack", "metadata": {"axes": "CYX"}},
        ),
        (
            f"{FLUORESCENCE} (DAPI, FITC, Cy5)",
            np.moveaxis(RGB, 2, 0),
            {
                "ome": True,
                "photometric": "minisblack",
                "metadata": {"axes": "CYX", "Channel": {"Name": ["DAPI", "FITC", "Cy5"]}},
            },
        ),
        (
            "a z-stack of 2 planes",
            np.stack([RGB, RGB]),
            {"ome": True, "metadata": {"axes": "ZYXS"}},
        ),
        (
            "a time series of 3 pictures",
            np.stack([RGB, RGB, RGB]),
            {"ome": True, "metadata": {"axes": "TYXS"}},
        ),
        ("2 pictures of one size", np.stack([RGB, RGB]), {"metadata": None}),
    ],
)
def test_what_is_no_brightfield_slide_is_refused_by_name(tmp_path, what, pixels, options):
    path = write(tmp_path / "s.tif", [pixels], **options)
    assert refused(path) == f"{what}: no brightfield RGB slide"


def test_five_fluorescence_channels_of_imagej(tmp_path):
    channels = np.stack([GREY] * 5)
    tifffile.imwrite(tmp_path / "s.tif", channels, imagej=True, metadata={"axes": "CYX"})
    assert refused(tmp_path / "s.tif").startswith("8-bit, 5 channels stored apart")


def test_planes_in_another_file(tmp_path):
    """As Bio-Formats writes them on request: Snakemake couldn't see the other file change."""
    about = (
        ome_xml('<Channel ID="Channel:0" SamplesPerPixel="3"/>')
        .replace("<OME ", '<OME UUID="urn:uuid:1" ')
        .replace(
            '<TiffData IFD="0" PlaneCount="3"/>',
            '<TiffData IFD="0" PlaneCount="1"><UUID FileName="b.tif">urn:uuid:2</UUID></TiffData>',
        )
    )
    for name in ("a.tif", "b.tif"):
        options = TILED | {"metadata": None, "description": about}
        tifffile.imwrite(tmp_path / name, RGB, **options)
    assert "in other files" in refused(tmp_path / "a.tif")


def test_a_large_picture_in_one_strip_is_refused_and_many_strips_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr("her2pyramid.slides.tiff.MAX_PIECE_BYTES", 300_000)
    one = write(tmp_path / "one.tif", [RGB], tile=None, rowsperstrip=301)
    problem = refused(one)
    assert "403 x 301" in problem
    assert "isn't tiled" in problem
    many = write(tmp_path / "many.tif", [RGB], tile=None, rowsperstrip=30)
    with open_slide(many) as slide:
        assert_holds(slide, [RGB])


def test_a_picture_in_one_strip_is_decoded_once(tmp_path, monkeypatch):
    path = write(tmp_path / "s.tif", [RGB], tile=None, rowsperstrip=301)
    decoded = []
    decode = TiffSlide._decode

    def counting(self, *where):
        decoded.append(where)
        return decode(self, *where)

    monkeypatch.setattr(TiffSlide, "_decode", counting)
    with open_slide(path) as slide:
        for top in range(0, 300, 50):
            region = slide.read(0, 20, top, 100, 50)
            np.testing.assert_array_equal(region, RGB[top : top + 50, 20:120])
    assert len(decoded) == 1


@pytest.mark.parametrize("subifds", [False, True])
def test_a_file_that_is_cut_short_anywhere(tmp_path, subifds):
    path = write(tmp_path / "s.tif", pyramid(noise(301, 403), 3), subifds=subifds)
    content = path.read_bytes()
    with tifffile.TiffFile(path) as file:
        directories = [page.offset for page in file.pages]
    cuts = [int(len(content) * share) for share in (0.02, 0.3, 0.6, 0.9)]
    for cut in (*cuts, *directories, len(content) - 1):
        path.write_bytes(content[:cut])
        problem = refused(path)
        assert "cut short" in problem


@pytest.mark.parametrize("back_to", [0, 1, 2])
def test_pages_that_lead_in_a_circle(tmp_path, back_to):
    path = write(tmp_path / "s.tif", pyramid(noise(301, 403), 3))
    with tifffile.TiffFile(path) as file:
        places = [page.offset for page in file.pages]
        link = file.pages.next_page_offset
        assert link is not None
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, link, places[back_to])
    path.write_bytes(content)
    assert "in a circle" in refused(path)


def test_a_directory_at_the_end_that_is_lost(tmp_path):
    """Levels whose directory lies beyond the cut would go missing without a word."""
    path = tmp_path / "s.tif"
    write(path, [RGB])
    with tifffile.TiffFile(path) as file:
        link = file.pages.next_page_offset
        assert link is not None
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, link, len(content) + 1000)
    path.write_bytes(content)
    assert "cut short" in refused(path)


def test_a_damaged_tile_is_named(tmp_path):
    path = write(tmp_path / "s.tif", [RGB])
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[0].dataoffsets[0]
    content = bytearray(path.read_bytes())
    content[offset : offset + 40] = bytes(40)
    path.write_bytes(content)
    with open_slide(path) as slide:
        with pytest.raises(
            Her2PyramidError, match=r"s\.tif(.|\n)*x 0, y 0 of level 0 can't be dec"
        ):
            slide.read(0, 0, 0, 50, 50)
        np.testing.assert_array_equal(slide.read(0, 260, 130, 50, 50), RGB[130:180, 260:310])


def test_a_compression_that_nothing_decodes(tmp_path):
    path = write(tmp_path / "s.tif", [RGB])
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["Compression"].overwrite(60_123)
    problem = refused(path)
    assert "as TIFF: its compression 60123 isn't known" in problem
    assert "as a format of OpenSlide" in problem


def test_real_files(real_data):
    with open_slide(real_data / "her2_tma" / "HER2-A.tif") as slide:
        assert isinstance(slide, TiffSlide)
        assert slide.size == (24800, 18900)
        assert slide.mpp == pytest.approx(0.25)
        other = OpenSlideSlide(slide.path)
        for level in (0, 2, 5):
            x, y = other.level_sizes[level][0] // 3, other.level_sizes[level][1] // 3
            ours = slide.read(level, x, y, 200, 150).astype(int)
            theirs = other.read(level, x, y, 200, 150).astype(int)
            # Above level 0 OpenSlide interpolates, since 18,900 is no multiple of 32.
            assert np.abs(ours - theirs).max() <= (2 if level else 0)
        other.close()


@pytest.mark.parametrize(
    ("name", "mpp"), [("CMU-1-Small-Region.svs", 0.499), ("tcga-cr-7395-01a-01-ts1.svs", None)]
)
def test_real_svs(real_data, name, mpp):
    """One of JPEG, one of JPEG 2000."""
    with open_slide(real_data / "slide_formats" / name) as slide:
        assert isinstance(slide, TiffSlide)
        assert slide.mpp == (mpp and pytest.approx(mpp))
        other = OpenSlideSlide(slide.path)
        assert slide.level_sizes == other.level_sizes
        region = slide.read(0, 501, 503, 300, 200)
        np.testing.assert_array_equal(region, other.read(0, 501, 503, 300, 200))
        other.close()


def test_neighbouring_bands_decode_their_common_tiles_once(tmp_path, monkeypatch):
    """A core is read in bands, whose edges cut through tiles."""
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (256, 320, 3), dtype=np.uint8)
    path = tmp_path / "s.tif"
    tifffile.imwrite(path, pixels, tile=(64, 64), photometric="rgb", compression="zlib")
    decoded = []
    decode = TiffSlide._decode

    def counted(self, level, number, segment):
        decoded.append(segment)
        return decode(self, level, number, segment)

    monkeypatch.setattr(TiffSlide, "_decode", counted)
    with TiffSlide(path) as slide:
        bands = [slide.read(0, 0, top, 320, 100) for top in (0, 100)]
    np.testing.assert_array_equal(np.concatenate(bands), pixels[:200])
    assert sorted(decoded) == list(range(20))  # four rows of five tiles
