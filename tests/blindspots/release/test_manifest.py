"""The manifest of a release: where it is, and what is wrong with where a tag stands."""

import pytest

from blindspots.release.manifest import Entry, fault_of_tag, manifest_repo

HERE, THERE = "a" * 40, "b" * 40


@pytest.mark.parametrize(
    ("title", "name"),
    [("NLI blindspots", "nli-blindspots"), ("My  models, 2nd try!", "my-models-2nd-try"), ("éß", "release")],
)
def test_the_title_names_its_repo(title, name):
    recipe = {"hub_namespace": "me", "hub_name": None, "title": title}
    assert manifest_repo(recipe) == f"me/{name}"


def test_a_tag_that_moved_or_went_is_told_with_its_commits():
    entry = Entry("me/rows", "dataset", HERE, "c" * 64)
    assert fault_of_tag(entry, "v1", HERE) is None
    assert fault_of_tag(entry, "v1", THERE) == f"the tag v1 was moved from {HERE} to {THERE}"
    assert fault_of_tag(entry, "v1", None) == "it belongs to the release and is gone, or has no tag v1 any more"
