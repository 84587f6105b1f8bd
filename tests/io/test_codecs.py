"""A zarr store that names a codec which runs code is refused before any data is read."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from pathlib import Path

import anndata as ad
import pytest

import hpvade
from hpvade._errors import FileFormatError
from hpvade.io import count_cells, open_reference, read_bulk, read_reference

MARK = "code-has-run"


class Attack:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture(scope="module", params=[2, 3])
def store(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "reference.zarr"
    with ad.settings.override(zarr_write_format=request.param, auto_shard_zarr_v3=False):
        hpvade.testing.tiny_reference().write_zarr(path)
    return path


def attacked(array, where, mark):
    """Name the codec in the metadata of an array, and replace its chunks by the attack."""
    if (metadata := array / ".zarray").exists():
        found = json.loads(metadata.read_text())
        codec = {"id": "pickle", "protocol": 5}
        found["compressor"] = codec if where == "compressor" else None
        found["filters"] = [codec] if where == "filter" else None
        found["dtype"] = "|O"
        found["fill_value"] = None
    else:
        metadata = array / "zarr.json"
        found = json.loads(metadata.read_text())
        found["codecs"] = [{"name": "numcodecs.pickle", "configuration": {"id": "pickle"}}]
    metadata.write_text(json.dumps(found))
    for chunk in array.rglob("*"):
        if chunk.is_file() and chunk != metadata:
            chunk.write_bytes(pickle.dumps(Attack(mark)))


def arrays(store):
    return sorted(
        {file.parent for file in store.rglob("*") if file.name == ".zarray"}
        | {
            file.parent
            for file in store.rglob("zarr.json")
            if json.loads(file.read_text())["node_type"] == "array"
        }
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("where", ["compressor", "filter"])
def test_no_array_can_run_code(store, tmp_path, where, zipped):
    mark = tmp_path / MARK
    names = [array.relative_to(store) for array in arrays(store)]
    assert len(names) > 5
    for name in names:
        path = tmp_path / "attack.zarr"
        shutil.copytree(store, path)
        (path / ".zmetadata").unlink(missing_ok=True)
        attacked(path / name, where, mark)
        if zipped:
            with zipfile.ZipFile(tmp_path / "attack.zip", "w") as archive:
                for file in path.rglob("*"):
                    archive.write(file, str(file.relative_to(path)))
            shutil.rmtree(path)
            path = tmp_path / "attack.zip"
        for read in (read_reference, read_bulk, count_cells, lambda path: open_reference(path).__enter__()):
            with pytest.raises(FileFormatError, match="may run code"):
                read(path)
        assert not mark.exists()
        path.unlink() if zipped else shutil.rmtree(path)


@pytest.mark.filterwarnings("ignore")
def test_consolidated_metadata_are_checked(store, tmp_path):
    path = tmp_path / "attack.zarr"
    shutil.copytree(store, path)
    for name in (".zmetadata", "zarr.json"):
        if (path / name).exists():
            text = (path / name).read_text()
            found = json.loads(text)
            whole = found.get("metadata") or (found.get("consolidated_metadata") or {}).get("metadata")
            assert whole
            for array in whole.values():
                if "compressor" in array:
                    array["filters"] = [{"id": "pickle"}]
                if "codecs" in array:
                    array["codecs"].append({"name": "pickle"})
            (path / name).write_text(json.dumps(found))
    with pytest.raises(FileFormatError, match="may run code"):
        read_reference(path)


@pytest.mark.filterwarnings("ignore")
def test_links_that_form_a_loop_end(store, tmp_path):
    path = tmp_path / "loop.zarr"
    shutil.copytree(store, path)
    (path / "uns").mkdir(exist_ok=True)
    (path / "uns" / "again").symlink_to(path, target_is_directory=True)
    assert count_cells(path) > 0
