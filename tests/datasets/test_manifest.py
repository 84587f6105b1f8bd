from __future__ import annotations

import json

import pytest

from hpvade._errors import FileFormatError
from hpvade._warnings import DataWarning
from hpvade.datasets import read_manifest, scored_columns


@pytest.fixture
def written(tmp_path):
    """Write a valid manifest, after `change` edited it, and return its path."""

    def write(change=lambda _m: None):
        content = {
            "version": 1,
            "references": {"blood": {"path": "ref/blood.h5ad", "drop_labels": ["doublet"]}},
            "coarse_types": {"blood": {"B": ["B"], "CD4 T": ["T4", "Treg"], "CD8 T": ["T8"]}},
            "bulk": {
                "flow": {
                    "path": "bulk/flow.tsv",
                    "unit": "tpm",
                    "truth": "bulk/truth.tsv",
                    "truth_types": {"B": ["b1", "b2"], "T": ["t"], "NK": ["nk"]},
                    "merge": {"T": ["CD4 T", "CD8 T"]},
                    "headline_types": ["B", "T"],
                    "note": "text",
                }
            },
        }
        change(content)
        path = tmp_path / "manifest.json"
        path.write_text(json.dumps(content))
        return path

    return write


def test_paths_are_relative_to_the_manifest_and_defaults_are_filled(written):
    path = written()
    manifest = read_manifest(path.parent)
    assert manifest == read_manifest(str(path))
    blood, flow = manifest.references["blood"], manifest.bulk["flow"]
    assert blood.path == path.parent / "ref" / "blood.h5ad"
    assert (blood.labels_key, blood.donor_key, blood.drop_labels) == ("cell_type", None, ["doublet"])
    assert (flow.truth, flow.unit) == (path.parent / "bulk" / "truth.tsv", "tpm")
    with pytest.raises(ValueError, match="frozen"):
        blood.labels_key = "other"


def test_columns_are_merged_as_the_manifest_defines(written):
    manifest = read_manifest(written())
    columns = scored_columns(manifest.bulk["flow"], manifest.coarse_types["blood"])
    assert columns == {
        "estimate": {"B": ["B"], "T": ["T4", "Treg", "T8"]},
        "truth": {"B": ["b1", "b2"], "T": ["t"]},
    }
    assert list(scored_columns(manifest.bulk["flow"], {"CD4 T": ["x"]})["estimate"]) == ["T"]
    assert scored_columns(manifest.bulk["flow"], {"NK": ["x"]}) == {"estimate": {}, "truth": {}}
    assert scored_columns(manifest.bulk["flow"], {"T": ["all t"]})["estimate"] == {"T": ["all t"]}


def test_every_problem_is_reported_at_once(written):
    def spoil(m):
        m["references"]["blood"].pop("path")
        m["bulk"]["flow"]["unit"] = "tmp"
        m["bulk"]["flow"]["truth_types"]["B"] = "b1"

    with pytest.raises(FileFormatError) as error:
        read_manifest(written(spoil))
    for place in ("references.blood.path: Field required", "bulk.flow.unit", "bulk.flow.truth_types.B"):
        assert place in str(error.value)


def change(*path, to):
    def edit(manifest):
        for key in path[:-1]:
            manifest = manifest[key]
        manifest[path[-1]] = to

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (change("coarse_types", "blod", to={"B": ["B"]}), "coarse_types.blod.*Did you mean 'blood'"),
        (change("coarse_types", "blood", "NK", to=["T8"]), "label 'T8' is listed more than once"),
        (change("coarse_types", "blood", "NK", to=["doublet"]), "'doublet' is also in drop_labels"),
        (change("bulk", "flow", "headline_types", to=["b"]), r"bulk.flow.headline_types: 'b' is not"),
        (change("bulk", "flow", "headline_types", to=[]), r"headline_types: List should have at least 1"),
        (change("references", "a/b", to={"path": "x"}), r"references.a/b: names become parts of file names"),
        (change("bulk", to={}), "bulk: Dictionary should have at least 1"),
    ],
)
def test_contradictions(written, edit, message):
    with pytest.raises(FileFormatError, match=message):
        read_manifest(written(edit))


def test_a_mistyped_name_is_reported(written):
    path = written(change("references", "blood", "drop_label", to=["x"]))
    with pytest.warns(DataWarning, match=r"references.blood.drop_label Did you mean 'drop_labels'"):
        read_manifest(path)


def test_no_manifest(tmp_path):
    with pytest.raises(FileFormatError, match=r"manifest.json cannot be read: No such file"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(FileFormatError, match="the file: Invalid JSON"):
        read_manifest(tmp_path)


def test_the_shared_manifest(shared_data):
    manifest = read_manifest(shared_data)
    assert {"pbmc_hao", "pbmc3k"} <= set(manifest.references)
    assert all(entry.path.exists() for entry in manifest.references.values())
    assert all(entry.truth.exists() for entry in manifest.bulk.values())
