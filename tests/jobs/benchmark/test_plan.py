from __future__ import annotations

import json

import pytest

from hpvade._errors import FileFormatError, InputError
from hpvade.datasets import read_manifest
from hpvade.jobs.benchmark._plan import make_plan


@pytest.fixture
def manifest(data):
    return read_manifest(data.folder)


def test_pairs_are_those_whose_headline_types_are_there(manifest):
    plan = make_plan(manifest)
    assert list(plan.references) == ["fine", "named", "all"]  # "other" has no coarse types
    assert plan.pairs == [(r, d) for r in ("fine", "named", "all") for d in ("flow", "merged")]
    assert plan.notes == [
        "Skipped organs: fine lacks Liver; named lacks Liver; all lacks Liver.",
    ]


def test_all_has_every_coarse_type_of_any_reference(manifest):
    together = make_plan(manifest, references=["all"]).references["all"]
    assert together.coarse == {"B": ["B"], "Mono": ["Mono"], "T": ["T"], "X": ["X"]}
    assert together.labels == {
        "fine": {"B": "B", "Monocyte": "Mono", "T": "T"},
        "named": {"Bcell": "B", "Mono": "Mono", "Tcell": "T", "X": "X"},
    }


def test_a_set_for_one_reference_only(manifest, data, tmp_path):
    data.content["bulk"]["rare"] = {
        **data.content["bulk"]["flow"], "truth_types": {"X": ["B"]}, "headline_types": ["X"],
    }  # fmt: skip
    (data.folder / "more.json").write_text(json.dumps(data.content))
    plan = make_plan(read_manifest(data.folder / "more.json"), datasets=["rare"])
    del data.content["bulk"]["rare"]
    assert plan.pairs == [("named", "rare"), ("all", "rare")]
    assert plan.notes == ["Skipped rare with one reference: fine lacks X."]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"references": ["fin"]}, "no reference with coarse types 'fin'.* Did you mean 'fine'"),
        ({"references": ["other"]}, "no reference with coarse types 'other'.* fine, named, all"),
        ({"datasets": ["flwo"]}, "no bulk data set 'flwo'.* Did you mean 'flow'"),
        ({"datasets": ["organs"]}, "Nothing to compare.* fine lacks Liver"),
    ],
)
def test_wrong_names(manifest, chosen, message):
    with pytest.raises(InputError, match=message):
        make_plan(manifest, **chosen)


def test_missing_files_are_told_before_anything_is_done(data):
    content = json.loads(json.dumps(data.content))
    content["references"]["fine"]["path"] = "gone.h5ad"
    content["bulk"]["flow"]["truth"] = "gone.tsv"
    (data.folder / "gone.json").write_text(json.dumps(content))
    manifest = read_manifest(data.folder / "gone.json")
    with pytest.raises(FileFormatError, match=r"gone.h5ad, .*gone.tsv"):
        make_plan(manifest)
    assert make_plan(manifest, references=["named"], datasets=["merged"]).pairs == [("named", "merged")]


def test_a_type_named_as_a_mean(data):
    content = json.loads(json.dumps(data.content))
    content["bulk"]["flow"] |= {"truth_types": {"pooled": ["B"]}, "headline_types": ["pooled"]}
    (data.folder / "pooled.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="headline type of 'flow' has the reserved name 'pooled'"):
        make_plan(read_manifest(data.folder / "pooled.json"))


def test_a_reference_named_all(data):
    content = json.loads(json.dumps(data.content))
    content["references"]["all"] = content["references"]["fine"]
    (data.folder / "named-all.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="has the reserved name 'all'"):
        make_plan(read_manifest(data.folder / "named-all.json"))
