from __future__ import annotations

import copy
import dataclasses
import json

import pytest
import torch

from hpvade._errors import FileFormatError
from hpvade.model import HPVADE, MODEL_FILES, save


@pytest.fixture
def folder(trained, tmp_path):
    model, _ = trained
    model.save(tmp_path / "model")
    return tmp_path / "model"


def test_output_folder_with_a_model_in_it(folder):
    assert HPVADE.load(folder.parent).cell_types == ["B", "Monocyte", "T"]


def test_files_have_the_permissions_that_the_user_gives_new_files(folder):
    new = folder / "new"
    new.touch()
    assert {file.stat().st_mode for file in folder.iterdir()} == {new.stat().st_mode}


def test_folder_that_is_no_model(tmp_path):
    with pytest.raises(FileFormatError, match=r"is not a model: .*config.json is missing"):
        HPVADE.load(tmp_path)


@pytest.mark.parametrize("name", MODEL_FILES)
def test_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileFormatError, match=name):
        HPVADE.load(folder)


@pytest.mark.parametrize("name", MODEL_FILES)
def test_truncated_file(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(FileFormatError, match="is damaged"):
        HPVADE.load(folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [("genes.tsv", '{"a": ['), ("config.json", "[1]"), ("validation.tsv", "a\tb\n1\t2\n")],
)
def test_files_with_other_content(folder, name, content):
    (folder / name).write_text(content)
    with pytest.raises(FileFormatError, match="is damaged"):
        HPVADE.load(folder)


def test_a_file_is_no_model(folder):
    with pytest.raises(FileFormatError, match="is a file, not the folder of a model"):
        HPVADE.load(folder / "genes.tsv")


@pytest.mark.parametrize(
    ("version", "message"),
    [(99, "later version of hpvade.*Upgrade"), (1, "earlier version of hpvade.*again")],
)
def test_other_format(folder, version, message):
    config = json.loads((folder / "config.json").read_text())
    config["format_version"] = version
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(FileFormatError, match=message):
        HPVADE.load(folder)


def test_all_settings_survive(folder, trained):
    model, _ = trained
    loaded = HPVADE.load(folder)
    assert loaded.config == model.config
    assert loaded.settings == model.settings
    assert loaded.trained.provenance == model.trained.provenance
    assert loaded.signature.equals(model.signature)


def test_files_of_another_model(folder):
    """Permuted genes, or other settings, would give wrong fractions without an error."""
    genes = (folder / "genes.tsv").read_text().splitlines(keepends=True)
    (folder / "genes.tsv").write_text("".join([genes[0], *sorted(genes[1:], reverse=True)]))
    with pytest.raises(FileFormatError, match=r"genes.tsv was changed after it was written"):
        HPVADE.load(folder)


@pytest.mark.parametrize(
    ("key", "value"), [("cell_types", ["T", "B", "Monocyte"]), ("settings", {"seed": 1})]
)
def test_settings_that_were_changed(folder, key, value):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {key: value}))
    with pytest.raises(FileFormatError, match=r"config.json was changed"):
        HPVADE.load(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(trained, tmp_path, value):
    model, _ = trained
    network = copy.deepcopy(model.trained.network)
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] = value
    save(dataclasses.replace(model.trained, network=network), tmp_path)
    with pytest.raises(FileFormatError, match="not finite"):
        HPVADE.load(tmp_path)
