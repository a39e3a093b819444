import pytest

from segdemo.models.catalog import CATALOG
from segdemo.models.families import FAMILIES, find

NAMES = list(dict.fromkeys(spec.family for spec in CATALOG))


@pytest.mark.parametrize("name", NAMES)
def test_every_family_of_the_catalogue_is_told_with_the_paper_of_its_models(name):
    family = find(name)
    assert family is not None, f"{name} is missing in segdemo/models/families.py"
    papers = {(spec.paper, spec.year) for spec in CATALOG if spec.family == name}
    assert (family.paper, family.year) in papers


def test_the_story_runs_forward_and_tells_each_family_once():
    years = [family.year for family in FAMILIES]
    assert years == sorted(years)
    assert len({family.name for family in FAMILIES}) == len({family.paper for family in FAMILIES}) == len(FAMILIES)
    assert all(family.paper.startswith("https://arxiv.org/abs/") for family in FAMILIES)


def test_a_story_is_two_short_sentences_at_most():
    for family in FAMILIES:
        for told in (family.before, family.introduced):
            assert told.endswith(".")
            assert len(told) < 200, family.name
