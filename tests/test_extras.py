import pytest

from segdemo.errors import ModelError
from segdemo.extras import AUTOMATIC_TILE, LARGEST_WHOLE, Extras


def test_without_any_they_are_false_and_their_text_is_empty():
    assert not Extras()
    assert (str(Extras()), Extras().words) == ("", "")


def test_each_of_them_is_in_the_key_and_in_the_words():
    assert str(Extras(512, "flip", "crf")) == "tile 512, flip, crf"
    assert Extras(512, "flip", "crf").words == "tiles of 512 pixels, flipped views and a dense CRF"
    assert Extras(tta="scales").words == "views at three scales"
    every = [Extras(t, a, r) for t in (None, 64, 96) for a in ("none", "flip", "scales") for r in ("none", "crf")]
    assert len({str(extras) for extras in every}) == len({extras.words for extras in every}) == len(every)


@pytest.mark.parametrize("tile", [0, -32, 32, 100, 1 << 20])
def test_a_tile_that_makes_no_sense_is_refused_with_those_that_do(tile):
    with pytest.raises(ModelError, match="multiple of 32 from 64 to 16384"):
        Extras(tile)


def test_what_there_is_not_is_refused_with_what_there_is():
    with pytest.raises(ModelError, match=r"'spin'.*none, flip, scales"):
        Extras(tta="spin")
    with pytest.raises(ModelError, match=r"'magic'.*none, crf"):
        Extras(refine="magic")


def test_models_of_segments_have_tiles_only_and_say_what_they_cannot_have():
    asked = Extras(256, "flip", "crf")
    assert asked.of_task("semantic") == asked
    assert asked.of_task("panoptic") == asked.of_task("instance") == Extras(256)
    asked.check("starter/fcn", "semantic")
    Extras(256).check("starter/maskrcnn", "instance")
    with pytest.raises(ModelError, match="starter/maskrcnn gives instance segments .*flip and crf"):
        asked.check("starter/maskrcnn", "instance")


def test_only_pictures_that_are_very_large_are_cut_unasked():
    assert Extras().on((5_000, LARGEST_WHOLE // 5_000)) == Extras()
    assert Extras(tta="flip").on((10_000, 10_000)) == Extras(AUTOMATIC_TILE, "flip")
    assert Extras(512).on((10_000, 10_000)) == Extras(512)


def test_a_tile_that_holds_the_whole_picture_is_none():
    assert Extras(512).on((300, 512)) == Extras()
    assert Extras(512).on((300, 513)) == Extras(512)
