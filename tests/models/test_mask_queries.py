"""Queries planted by hand, and the authors' own procedure (github.com/facebookresearch/Mask2Former) on random ones.

transformers' post-processing is a reference only in part: it resizes masks to 384×384 whatever the network's input, and
its panoptic and instance rules differ from the authors' (see `segdemo.models.mask_queries` and `panoptic_contest`).
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import Mask2FormerImageProcessor

from segdemo.labels import VOID
from segdemo.models.mask_queries import MaskQueries, instances, semantic
from segdemo.models.panoptic_contest import PanopticRule, panoptic
from segdemo.models.resizing import Blend

CLASSES = 4  # 0 and 1 are stuff, 2 and 3 are things
THINGS = frozenset({2, 3})


def planted(*found, input_hw=None, sure=20.0):
    """Queries of one picture: (class, probability, mask as rows of text, "#" inside); the rest is "no object"."""
    class_logits, mask_logits = [], []
    for class_id, probability, rows in found:
        shares = torch.full((CLASSES + 1,), 1e-9)
        shares[CLASSES] = 1 - probability
        shares[class_id] = probability
        class_logits.append(shares.log())
        inside = torch.tensor([[pixel == "#" for pixel in row] for row in rows.split()])
        mask_logits.append(torch.where(inside, sure, -sure))
    masks = torch.stack(mask_logits)[None]
    return MaskQueries(torch.stack(class_logits)[None], masks, input_hw or tuple(masks.shape[-2:]))


def random_queries(seed, count=1, queries=12, size_hw=(12, 15), sharpness=6.0, classes=CLASSES):
    """Blobs of all sizes, classes sure and unsure; input four times as large."""
    draw = torch.Generator().manual_seed(seed)
    masks = F.interpolate(torch.randn(count, queries, 4, 5, generator=draw), size_hw, mode="bicubic") * sharpness - 1
    class_logits = torch.randn(count, queries, classes + 1, generator=draw) * 4
    return MaskQueries(class_logits, masks, (4 * size_hw[0], 4 * size_hw[1]))


def dividing_queries(seed, count=1, queries=12, size_hw=(12, 15)):
    """Queries that share the picture out among them, with little overlap, most of them sure of their class."""
    queries = random_queries(seed, count, queries, size_hw)
    best, second = queries.mask_logits.topk(2, dim=1).values[:, :, None].unbind(1)
    rival = torch.where(queries.mask_logits == best, second, best)
    return MaskQueries(queries.class_logits * 3, 4 * (queries.mask_logits - rival), queries.input_hw)


def text(labels):
    return " ".join("".join("." if pixel == VOID else str(pixel) for pixel in row) for row in labels)


def full_size(segments, size_hw):
    maps = np.zeros((len(segments), *size_hw), bool)
    for full, mask, (x1, y1, x2, y2) in zip(maps, segments.masks, segments.boxes_xyxy, strict=True):
        full[y1:y2, x1:x2] = mask
    return maps


class TestPanoptic:
    def answer(self, queries, size_hw=None):
        [answer] = panoptic(queries, size_hw or queries.input_hw, THINGS)
        return answer

    def test_where_masks_overlap_the_better_score_wins(self):
        found = self.answer(planted((2, 0.9, "###### ###### ......"), (3, 0.95, "...... ....## ....##")))
        assert text(found.labels) == "222222 222233 ....33"
        assert found.segments.class_ids.tolist() == [3, 2]
        assert found.segments.boxes_xyxy.tolist() == [[4, 1, 6, 3], [0, 0, 6, 2]]
        assert found.segments.scores == pytest.approx([0.95, 0.9], abs=1e-4)

    def test_a_query_that_wins_less_than_four_fifths_of_its_mask_is_dropped(self):
        found = self.answer(planted((2, 0.9, "#### #### ...."), (3, 0.95, "..## .... ....")))
        assert text(found.labels) == "..33 .... ...."
        assert len(found.segments) == 1
        assert (found.confidence[found.labels == VOID] == 0).all()

    def test_of_two_equal_masks_the_worse_wins_nothing(self):
        found = self.answer(planted((2, 0.9, "## ##"), (3, 0.95, "## ##")))
        assert text(found.labels) == "33 33"
        assert len(found.segments) == 1

    def test_nothing_found_is_all_void(self):
        found = self.answer(planted((2, 0.79, "### ###"), (0, 0.01, "### ###")), size_hw=(5, 7))
        assert (found.labels == VOID).all()
        assert found.labels.shape == (5, 7)
        assert len(found.segments) == 0
        assert (found.confidence == 0).all()

    def test_a_mask_without_a_pixel_makes_no_segment(self):
        found = self.answer(planted((1, 0.99, "... ..."), (1, 0.9, "### ###")))
        assert text(found.labels) == "111 111"
        assert found.segments.scores == pytest.approx([0.9], abs=1e-4)

    def test_stuff_of_one_class_is_one_segment_and_things_are_not(self):
        stuff = (1, 0.9, "##.... ##...."), (1, 0.99, "....#. ....#.")
        found = self.answer(planted(*stuff, (2, 0.95, "..##.. ..##.."), (2, 0.85, ".....# .....#")))
        assert text(found.labels) == "112212 112212"
        assert found.segments.class_ids.tolist() == [1, 2, 2]
        assert found.segments.scores == pytest.approx([0.99, 0.95, 0.85], abs=1e-4)
        assert found.segments.boxes_xyxy.tolist() == [[0, 0, 5, 2], [2, 0, 4, 2], [5, 0, 6, 2]]
        assert found.segments.masks[0].tolist() == [[True, True, False, False, True]] * 2

    def test_one_query_may_cover_all(self):
        found = self.answer(planted((0, 0.9, "### ###")), size_hw=(31, 17))
        assert (found.labels == 0).all()
        assert found.segments.boxes_xyxy.tolist() == [[0, 0, 17, 31]]
        assert found.confidence == pytest.approx(0.9, abs=1e-3)

    def test_a_pixel_below_one_half_of_its_winner_is_void(self):
        queries = planted((2, 0.9, "######"))
        queries.mask_logits[..., 0] = -0.5
        assert text(self.answer(queries).labels) == ".22222"

    def test_the_area_of_a_mask_does_not_depend_on_the_score(self):
        """transformers asks whether score × mask is at least 0.5 and finds no area here."""
        found = self.answer(planted((2, 0.81, "## .."), sure=0.4))  # mask 0.6, times 0.81 is 0.486
        assert text(found.labels) == "22 .."

    def test_a_checkpoints_own_rule_keeps_what_the_authors_would_drop(self):
        queries = planted((2, 0.6, "######"), (3, 0.95, "...###"))
        assert text(self.answer(queries).labels) == "...333"
        [found] = panoptic(queries, queries.input_hw, THINGS, PanopticRule(0.5, 0.4))
        assert text(found.labels) == "222333"

    @pytest.mark.parametrize("value", [-0.1, 1.5, "0.5", None])
    def test_a_rule_of_anything_but_shares_is_refused(self, value):
        with pytest.raises(ValueError, match="from 0 to 1"):
            PanopticRule(threshold=value)

    def test_more_queries_than_numbers_are_cut_to_the_best(self):
        found = self.answer(planted(*[(2, 0.9 - i * 1e-4, "##") for i in range(300)]))
        assert text(found.labels) == "22"
        assert len(found.segments) == 1

    @pytest.mark.parametrize("size_hw", [(48, 60), (101, 77), (33, 20)])
    def test_random_queries_become_what_the_authors_make_of_them(self, size_hw):
        for seed in range(6):
            queries = (random_queries if seed % 2 else dividing_queries)(seed)
            [found] = panoptic(queries, size_hw, THINGS)
            segment_map, segments = authors_panoptic(queries, size_hw)
            labels = np.full(size_hw, VOID)
            for number, (class_id, _) in segments.items():
                labels[segment_map == number] = class_id
            assert (found.labels == labels).mean() > 0.999
            expected = sorted(segments.values(), key=lambda s: -s[1])
            assert found.segments.class_ids.tolist() == [class_id for class_id, _ in expected]
            assert found.segments.scores == pytest.approx([score for _, score in expected], abs=1e-5)
            assert full_size(found.segments, size_hw).sum(0).max(initial=0) <= 1
            assert seed % 2 or len(found.segments) > 2

    def test_labels_are_those_of_transformers_where_its_rules_agree(self):
        """An input of 384×384, masks that are sure of themselves and hardly overlap. Its fusing is left out: it numbers
        two segments alike (transformers#23461).
        """
        queries = dividing_queries(8, size_hw=(96, 96))
        [found] = panoptic(queries, (250, 333), THINGS)
        outputs = SimpleNamespace(class_queries_logits=queries.class_logits, masks_queries_logits=queries.mask_logits)
        [theirs] = Mask2FormerImageProcessor().post_process_panoptic_segmentation(
            outputs, threshold=0.8, target_sizes=[(250, 333)], label_ids_to_fuse=set()
        )
        expected = np.full((250, 333), VOID)
        for segment in theirs["segments_info"]:
            expected[theirs["segmentation"].numpy() == segment["id"]] = segment["label_id"]
        classes = [segment["label_id"] for segment in theirs["segments_info"]]
        fused = sum(c in THINGS for c in classes) + len(set(classes) - THINGS)
        assert len(found.segments) == fused > 2
        assigned = found.labels != VOID  # it also labels pixels that are in nobody's mask
        assert (found.labels == expected)[assigned].mean() > 0.999
        assert assigned.mean() > 0.5


class TestInstances:
    def answer(self, queries, size_hw=None):
        [answer] = instances(queries, size_hw or queries.input_hw)
        return answer

    def test_overlapping_masks_stay_whole_and_the_best_is_painted_on_top(self):
        found = self.answer(planted((2, 0.7, "###. ###."), (3, 0.9, ".... .###")))
        assert text(found.labels) == "222. 2333"
        assert found.segments.class_ids.tolist() == [3, 2]
        assert found.segments.boxes_xyxy.tolist() == [[1, 1, 4, 2], [0, 0, 3, 2]]
        assert all(mask.all() for mask in found.segments.masks)
        assert found.confidence[0].tolist() == pytest.approx([0.7, 0.7, 0.7, 0], abs=1e-3)

    def test_a_score_is_class_times_mask_quality(self):
        queries = planted((2, 0.9, "####"), (3, 0.6, "####"))
        queries.mask_logits[:] = torch.logit(torch.tensor([0.9, 0.7, 0.7, 0.1]))
        found = self.answer(queries)  # 0.9 and 0.6 times (0.9 + 0.7 + 0.7) / 3
        assert found.segments.scores == pytest.approx([0.69], abs=1e-4)
        assert text(found.labels) == "222."

    def test_nothing_found_is_all_void(self):
        found = self.answer(planted((2, 0.4, "## ##"), (3, 0.99, ".. ..")), size_hw=(5, 3))
        assert (found.labels == VOID).all()
        assert len(found.segments) == 0

    def test_a_lower_threshold_adds_doubtful_instances_and_leaves_the_label_map_alone(self):
        queries = planted((2, 0.9, "###."), (3, 0.3, "..##"))
        sure, [all_found] = self.answer(queries), instances(queries, queries.input_hw, 0.1)
        assert sure.segments.class_ids.tolist() == [2]
        assert all_found.segments.class_ids.tolist() == [2, 3]
        assert all_found.segments.scores == pytest.approx([0.9, 0.3], abs=1e-3)
        assert (all_found.labels == sure.labels).all()
        assert (all_found.confidence == sure.confidence).all()

    def test_one_mask_may_be_several_doubtful_instances(self):
        queries = planted((2, 0.4, "###."))
        queries.class_logits[0, 0, 1] = queries.class_logits[0, 0, 2]
        [found] = instances(queries, queries.input_hw, 0.2)
        assert sorted(found.segments.class_ids.tolist()) == [1, 2]

    @pytest.mark.parametrize("size_hw", [(48, 60), (101, 77), (33, 20)])
    def test_random_queries_become_what_the_authors_make_of_them(self, size_hw):
        for seed in range(6):
            queries = random_queries(seed)
            [found] = instances(queries, size_hw)
            masks, class_ids, scores = authors_instances(queries, size_hw)
            assert found.segments.class_ids.tolist() == class_ids.tolist()
            assert found.segments.scores == pytest.approx(scores, abs=1e-5)
            assert (full_size(found.segments, size_hw) == masks).mean() > 0.9999


class TestSemantic:
    def test_queries_of_one_class_add_up(self):
        [found] = semantic(planted((1, 0.4, "## ##"), (1, 0.3, "#. #."), (2, 0.5, "## ##")), (2, 2))
        assert text(found.labels) == "12 12"
        assert found.segments is None

    def test_confidence_is_the_sum_or_its_share_of_all(self):
        [found] = semantic(planted((1, 0.6, "#.#"), (2, 0.3, "#.#"), (3, 0.9, "..#")), (1, 3))
        assert found.confidence[0].tolist() == pytest.approx([0.6, 0.0, 0.9 / 1.8], abs=1e-3)

    @pytest.mark.parametrize("size_hw", [(48, 60), (101, 77), (33, 20)])
    def test_random_queries_become_what_the_authors_make_of_them(self, size_hw):
        queries = random_queries(3, count=3, queries=40)
        for found, expected in zip(semantic(queries, size_hw), authors_semantic(queries, size_hw), strict=True):
            assert (found.labels == expected.argmax(0).numpy()).mean() > 0.999

    @pytest.mark.parametrize("classes", [1, 2, 255, 256, 300])
    def test_any_number_of_classes(self, classes):
        queries = random_queries(4, queries=40, classes=classes)
        [found], [expected] = semantic(queries, (101, 77)), authors_semantic(queries, (101, 77))
        assert (found.labels == expected.argmax(0).numpy()).mean() > 0.999


@pytest.mark.parametrize("read", [semantic, instances, lambda q, size: panoptic(q, size, THINGS)])
def test_a_batch_is_read_as_its_pictures_one_by_one(read):
    batch = random_queries(5, count=3)
    for i, answer in enumerate(read(batch, (50, 61))):
        [single] = read(
            MaskQueries(batch.class_logits[i : i + 1], batch.mask_logits[i : i + 1], batch.input_hw), (50, 61)
        )
        assert np.array_equal(answer.labels, single.labels)
        assert np.allclose(answer.confidence, single.confidence, atol=1e-3)
        if answer.segments is not None:
            assert np.array_equal(answer.segments.boxes_xyxy, single.segments.boxes_xyxy)


@pytest.mark.parametrize("read", [semantic, instances, lambda q, size: panoptic(q, size, THINGS)])
def test_half_precision_is_read_and_left_as_it_was(read):
    wide = random_queries(6)
    queries = MaskQueries(wide.class_logits.bfloat16(), wide.mask_logits.bfloat16(), wide.input_hw)
    before = queries.mask_logits.clone()
    [found], [expected] = read(queries, (50, 61)), read(wide, (50, 61))
    assert torch.equal(queries.mask_logits, before)
    assert (found.labels == expected.labels).mean() > 0.95


def test_a_hundred_queries_on_a_large_picture_are_never_all_held_at_its_size(monkeypatch):
    largest = []
    blended = Blend.rows

    def watched(*arguments):
        band = blended(*arguments)
        largest.append(band.numel())
        return band

    monkeypatch.setattr(Blend, "rows", watched)
    queries = random_queries(7, queries=100)
    queries.class_logits[..., 2] = 20
    panoptic(queries, (600, 800), THINGS)
    assert 4 * max(largest) <= 2 << 20


def at_picture(queries, size_hw):
    """Mask logits (N, Q, H, W) by the authors' two steps: to the network's input, then to the picture."""
    at_input = F.interpolate(queries.mask_logits, queries.input_hw, mode="bilinear", align_corners=False)
    return F.interpolate(at_input, size_hw, mode="bilinear", align_corners=False)


def authors_semantic(queries, size_hw):
    masks = F.interpolate(queries.mask_logits, queries.input_hw, mode="bilinear", align_corners=False).sigmoid()
    scores = torch.einsum("nqc,nqhw->nchw", queries.class_logits.softmax(-1)[..., :-1], masks)
    return F.interpolate(scores, size_hw, mode="bilinear", align_corners=False)


def authors_panoptic(queries, size_hw):
    """A map of segment numbers from 1, and per number class and best score."""
    scores, class_ids = queries.class_logits[0].softmax(-1).max(-1)
    kept = (class_ids != CLASSES) & (scores > 0.8)
    scores, class_ids, masks = scores[kept], class_ids[kept], at_picture(queries, size_hw)[0][kept].sigmoid()
    segment_map, segments, stuff = np.zeros(size_hw, int), {}, {}
    if len(scores) == 0:
        return segment_map, segments
    winners = (scores.view(-1, 1, 1) * masks).argmax(0)
    for k, class_id in enumerate(class_ids.tolist()):
        area, own = (winners == k).sum().item(), (masks[k] >= 0.5).sum().item()
        mask = (winners == k) & (masks[k] >= 0.5)
        if not area or not own or not mask.any() or area / own < 0.8:
            continue
        number = len(segments) + 1
        if class_id not in THINGS:
            number = stuff.setdefault(class_id, number)
        segment_map[mask.numpy()] = number
        segments[number] = class_id, max(scores[k].item(), segments.get(number, (0, 0))[1])
    return segment_map, segments


def authors_instances(queries, size_hw):
    """Masks (N, H, W), class ids and scores above 0.5, best first; mask quality at the network's input size."""
    probabilities = queries.class_logits[0].softmax(-1)[:, :-1]
    scores, order = probabilities.flatten().topk(min(100, probabilities.numel()))
    class_ids, query = order % CLASSES, order // CLASSES
    masks = F.interpolate(queries.mask_logits, queries.input_hw, mode="bilinear", align_corners=False)[0][query]
    inside = (masks > 0).float()
    scores = scores * (masks.sigmoid() * inside).flatten(1).sum(1) / (inside.flatten(1).sum(1) + 1e-6)
    ranked = scores.argsort(descending=True)
    ranked = ranked[scores[ranked] > 0.5]
    full = at_picture(queries, size_hw)[0][query[ranked]] > 0
    visible = full.any(1).any(1)
    ranked, full = ranked[visible], full[visible]
    return full.numpy(), class_ids[ranked], scores[ranked].numpy()
