"""Labels of cells → the lineages of blood that they name."""

from __future__ import annotations

import pytest

from hpvade.world import shipped_world
from hpvade.world._lineages import lineages

LABELS = {
    "B": ["B", "B cells", "bcells", "B-cell", "naive_B", "B_Plasma", "Naive B lymphocyte"],
    "T": [
        "T_CD4",
        "CD8",
        "CD4 TCM",
        "Tregs",
        "memoryt",
        "naivecytotoxic",
        "thelper",
        "Th17",
        "MAIT",
        "T cell",
    ],
    "NK": ["nk", "NK cells", "CD56bright NK", "natural killer cell", "Cytotoxic NK cells"],
    "monocyte": [
        "CD14+ Mono",
        "FCGR3A+ Mono",
        "classical monocyte",
        "Macrophages",
        "Mono_CD16",
        "TAM",
        "cMono",
    ],
    "dendritic": ["mDC", "cDC2", "moDC", "CD4+ cDC", "conventional dendritic cell"],
    "plasmacytoid": ["pDC", "plasmacytoid dendritic cell"],
    "neutrophil": ["Neutrophils", "PMN", "Neut"],
    "": [
        "Non-T cells",
        "Monociliated",
        "Basophilic erythroblast",
        "Hepatocyte",
        "Tumor Epithelial",
        "beta",
        "Plasma",
        "Fibroblast",
        "Platelet",
        "H2228",
        "gamma",
    ],
}


@pytest.mark.parametrize(
    ("lineage", "label"), [(k, label) for k, labels in LABELS.items() for label in labels]
)
def test_labels_in_use(lineage, label):
    assert lineages(label) == ({lineage} if lineage else set())


def test_a_label_may_name_several():
    assert lineages("T/NK") == lineages("iNKT cells/NK") == {"T", "NK"}
    assert (
        lineages("cDC/pDC") == lineages("DC") == lineages("Dendritic cell") == {"dendritic", "plasmacytoid"}
    )
    assert lineages("Granulocytes") == {"neutrophil", "eosinophil", "basophil"}
    assert lineages("Mast cells") == {"basophil"}


def test_sorted_cells_name_their_lineage_and_tissues_none():
    world = shipped_world()
    named = dict(zip(world.facts.index, world.lineages, strict=True))
    assert all(named[name] for name in world.facts.index[world.facts["kind"] == "cells"])
    assert not any(named[name] for name in world.facts.index[world.facts["kind"] != "cells"])
    assert named["myeloid_DC"] == {"dendritic"}
    assert named["T_reg"] == {"T"}
