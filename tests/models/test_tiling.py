import pytest
import torch

from segdemo.models.tiling import Rows, largest, mean, shortest, side_by_side, spans, stacked

SIDES = [(65, 64), (100, 64), (112, 64), (113, 64), (1000, 96), (4001, 512), (1920, 1024)]


@pytest.mark.parametrize(("side", "tile"), SIDES)
def test_tiles_cover_a_side_and_neighbours_overlap_by_a_quarter_or_more(side, tile):
    found = spans(side, tile)
    assert (found[0].start, found[-1].stop) == (0, side)
    assert all(span.stop - span.start == tile for span in found)
    assert all(b.start - a.start <= tile - tile // 4 for a, b in zip(found, found[1:], strict=False))
    assert [a.last for a in found[:-1]] == [b.first for b in found[1:]]


@pytest.mark.parametrize(("side", "tile"), SIDES)
def test_no_more_than_two_tiles_answer_anywhere_and_none_where_it_does_not_look(side, tile):
    found, half = spans(side, tile), tile // 8
    for before, tile_, after in zip([None, *found], found, [*found[1:], None], strict=False):
        assert before is None or tile_.first - half >= max(tile_.start, 0)
        assert after is None or tile_.last + half <= tile_.stop
        assert after is None or before is None or tile_.first + half <= tile_.last - half


def test_a_side_that_fits_is_one_tile():
    assert len(spans(64, 64)) == len(spans(40, 64)) == len(spans(5000, None)) == 1


@pytest.mark.parametrize(("side", "most"), [*SIDES, (40, 64)])
def test_the_shortest_tiles_are_as_many_and_no_shorter_ones_are(side, most):
    tile, count = shortest(side, most), len(spans(side, most))
    assert tile <= most
    assert len(spans(side, tile)) == count
    assert len(spans(side, tile - 2)) > count


@pytest.mark.parametrize(("size_hw", "area"), [((45, 60), 1923), ((45, 60), 800), ((10, 1000), 300), ((300, 7), 16)])
def test_the_largest_tiles_have_the_area_and_the_longest_shorter_side(size_hw, area):
    tall, wide = largest(size_hw, area)
    assert tall * wide <= area
    longer = min(tall, wide) + 1
    every = [(shortest(size_hw[0], most), shortest(size_hw[1], area // most)) for most in range(longer, area // longer)]
    assert all(min(sides) < longer for sides in every if sides[0] * sides[1] <= area)


def test_a_picture_that_fits_in_one_direction_is_cut_in_the_other():
    assert largest((45, 60), 1923) == (45, 35)


def bands(maps, *heights):
    return iter([band.clone() for band in maps.split(list(heights), dim=2)])


def test_rows_come_in_any_number_and_in_order():
    maps = torch.arange(24.0).view(1, 2, 6, 2)
    rows, taken = Rows(bands(maps, 1, 3, 2)), []
    while ready := rows.ready():
        taken.append(rows.take(min(2, ready)))
    assert torch.equal(torch.cat(taken, 2), maps)
    with pytest.raises(ValueError, match="not ready"):
        rows.take(1)


def test_the_mean_is_over_streams_whose_bands_differ():
    first, second = torch.rand(2, 1, 3, 7, 4)
    found = torch.cat([band.clone() for band in mean([Rows(bands(first, 3, 4)), Rows(bands(second, 5, 2))], 7)], 2)
    assert torch.allclose(found, (first + second) / 2)


@pytest.mark.parametrize("tile", [64, 61, 60, 45])
@pytest.mark.parametrize("size_hw", [(200, 300), (64, 130), (113, 65), (150, 64)])
def test_tiles_of_one_picture_are_that_picture_again(size_hw, tile):
    picture = torch.rand(2, 3, *size_hw)
    rows, columns = spans(size_hw[0], tile), spans(size_hw[1], tile)

    def row_of_tiles(row):
        parts = [picture[:, :, row.start : row.stop, c.start : c.stop] for c in columns]
        streams = [Rows(bands(part, 5 + i, tile - 5 - i)) for i, part in enumerate(parts)]
        return side_by_side(columns, streams, row.stop - row.start)

    found = torch.cat([band.clone() for band in stacked(rows, row_of_tiles)], 2)
    assert found.shape == picture.shape
    assert torch.allclose(found, picture, atol=1e-6)


def test_a_tile_fades_into_its_neighbour_and_its_border_does_not_count():
    tiles = spans(100, 64)  # 0 to 64 and 36 to 100; the fade is from 42 to 58
    streams = [Rows([torch.full((1, 1, 1, 64), value)]) for value in (0.0, 1.0)]
    [found] = [band.flatten() for band in side_by_side(tiles, streams, 1)]
    assert (found[:42] == 0).all()
    assert (found[58:] == 1).all()
    assert torch.allclose(found[42:58], (torch.arange(16) + 0.5) / 16)


def test_the_next_row_of_tiles_is_asked_for_when_it_is_needed():
    tiles, asked = spans(1000, 64), []

    def row_of_tiles(row):
        asked.append(row)
        return iter([torch.zeros(1, 1, 64, 10)])

    done = 0
    for band in stacked(tiles, row_of_tiles):
        done += band.shape[2]
        assert all(row.start < done + 64 for row in asked)
    assert (done, len(asked)) == (1000, len(tiles))
