"""The profiles that are shipped, and those that a user brings."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from hpvade._errors import FileFormatError
from hpvade.world import World, read_world, shipped_world


def test_shipped_profiles_express_the_genes_that_textbooks_name():
    world = shipped_world()
    assert set(world.facts["kind"]) == {"cells", "markers", "tissue", "line"}
    level, known = world.align(np.array(["FCGR3B", "MS4A1", "ALB", "EPCAM", "no such gene"]))
    assert known.tolist() == [True, True, True, True, False]
    best = [world.facts.index[row.argmax()] for row in level[:3]]
    assert best[0] == "neutrophil"
    assert best[1] in {"naive_B_cell", "memory_B_cell", "line:Daudi"}
    assert best[2] in {"liver", "line:Hep G2"}
    epcam = dict(zip(world.facts.index, level[3], strict=True))
    assert epcam["line:OE19"] > 20 * epcam["neutrophil"]
    (pf4,), _ = world.align(np.array(["PF4"]))
    assert world.facts.index[pf4.argmax()] == "platelet"


def test_shipped_profiles_carry_their_licence():
    text = (files("hpvade.world") / "LICENSE").read_text()
    assert "Attribution-ShareAlike" in text
    assert "proteinatlas.org" in text


def test_mouse_genes_find_the_human_ones_of_the_same_name():
    level, known = shipped_world().align(np.array(["Cd3e", "CD3E"]))
    assert known.all()
    np.testing.assert_array_equal(level[0], level[1])


def test_a_table_of_profiles_is_read(tmp_path):
    table = pd.DataFrame({"one": [1.0, 2, 3], "other": [4.0, 0, 6]}, index=["a", "B", "b"])
    table.to_csv(tmp_path / "world.tsv.gz", sep="\t")
    world = read_world(tmp_path / "world.tsv.gz")
    assert world.facts["words"].tolist() == ["one", "other"]
    level, known = world.align(np.array(["A", "b", "c"]))
    np.testing.assert_allclose(level, [[1, 4], [5, 6], [0, 0]])  # both spellings of B are summed
    assert known.tolist() == [True, True, False]


@pytest.mark.parametrize(
    "text",
    [
        "gene\tone\tone; two\nA\t1\t2\n",
        "gene\tone\ttwo\n" + "".join(f"G{i}\t{i % 14}.5\t{i % 9}.5\n" for i in range(2_000)),
        "gene\tone\nA\t1\n",
        "gene\tone\ttwo\nA\t1\t-1\n",
        "gene\tone\ttwo\nA\t1\t\n",
        "gene\ta\tb\nA\tx\t1\n",
    ],
)
def test_other_tables_are_refused(tmp_path, text):
    path = tmp_path / "world.tsv"
    path.write_text(text)
    with pytest.raises(FileFormatError, match=r"world\.tsv"):
        read_world(path)


def test_an_empty_world_knows_no_gene():
    level, known = World.empty().align(np.array(["A", "B"]))
    assert level.shape == (2, 0)
    assert not known.any()


def test_every_shipped_gene_is_found_by_its_symbol():
    world = shipped_world()
    assert world.align(world.genes.to_numpy(str))[1].all()
    assert world.align(np.array(["C10orf105"]))[1].all()
