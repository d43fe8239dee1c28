"""The interface that all readers share."""

from __future__ import annotations

import numpy as np
import pytest

from her2pyramid.errors import Her2PyramidError
from her2pyramid.slides.kinds import are_red_green_blue, in_words, stack_in_words
from her2pyramid.slides.slide import plausible_mpp
from tests.unit.slides.pictures import noise


def test_levels(array_slide):
    slide = array_slide(noise(700, 900), n_levels=3)
    assert slide.size == (900, 700)
    assert [slide.downsample(level) for level in range(3)] == [1, 2, 4]
    assert [slide.level_for(d) for d in (1, 1.9, 2, 3.9, 4, 99)] == [0, 0, 1, 1, 2, 2]


def test_beyond_the_slide_is_background(array_slide):
    pixels = noise(70, 90)
    slide = array_slide(pixels)
    region = slide.read(0, -30, 65, 100, 100)
    assert (region[:, :30] == 255).all()
    assert (region[5:] == 255).all()
    np.testing.assert_array_equal(region[:5, 30:], pixels[65:70, :70])
    np.testing.assert_array_equal(slide.read(0, -2, -3, 95, 75)[3:73, 2:92], pixels)
    for x, y in ((2000, 0), (0, 2000), (-10, 0), (0, -10), (90, 70)):
        region = slide.read(0, x, y, 10, 10)
        assert region.shape == (10, 10, 3)
        assert (region == 255).all()


def test_what_a_decoder_raises_is_told_with_its_place(array_slide, monkeypatch):
    slide = array_slide(noise(70, 90))

    def damaged(*_):
        raise RuntimeError("bad Huffman code")

    monkeypatch.setattr(slide, "_read_inside", damaged)
    with pytest.raises(Her2PyramidError) as caught:
        slide.read(0, -5, 7, 20, 20)
    assert "x 0, y 7 of level 0 can't be decoded: bad Huffman code" in str(caught.value)
    assert caught.value.where == str(slide.path)


@pytest.mark.parametrize(
    ("mpp", "fact"), [(0.049, None), (0.05, 0.05), (20.0, 20.0), (20.1, None), (np.nan, None)]
)
def test_plausible_mpp(mpp, fact):
    assert plausible_mpp(mpp) == fact


def test_pictures_in_words():
    assert in_words("uint16", 1) == "16-bit, one channel"
    assert in_words("float32", 3) == "32-bit floating point, 3 channels"
    assert in_words("int8", 3) == "8-bit signed, 3 channels"
    assert in_words(bool, 1) == "1-bit, one channel"
    assert stack_in_words("z", 5) == "a z-stack of 5 planes"
    assert stack_in_words("V", 2) == "2 pictures along axis V"


def test_names_of_colours():
    assert are_red_green_blue(["R", "G", "B"])
    assert are_red_green_blue(["red", " Green", "BLUE"])
    assert not are_red_green_blue(["B", "G", "R"])
    assert not are_red_green_blue(["R", "Green", "B"])
    assert not are_red_green_blue(["R", "G"])
    assert not are_red_green_blue([])
