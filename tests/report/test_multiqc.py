"""Tables for MultiQC."""

from __future__ import annotations

import json

import pandas as pd
import pytest


def test_fractions_are_a_bar_graph_in_percent(written):
    content = json.loads((written / "hpvade_fractions_mqc.json").read_text())
    stored = pd.read_csv(written / "fractions.tsv", sep="\t", index_col=0)
    assert content["plot_type"] == "bargraph"
    assert list(content["data"]) == list(stored.index)
    for name, row in content["data"].items():
        assert sum(row.values()) == pytest.approx(100, abs=0.01)
        assert row == pytest.approx((100 * stored.loc[name]).to_dict(), abs=1e-3)
    assert set(content["categories"]) == set(stored)


def test_quality_goes_to_the_general_statistics(written):
    content = json.loads((written / "hpvade_quality_mqc.json").read_text())
    qc = pd.read_csv(written / "qc.tsv", sep="\t", index_col=0)
    assert content["plot_type"] == "generalstats"
    for name, row in content["data"].items():
        assert row["reconstruction_r"] == qc.loc[name, "reconstruction_r"]
        assert set(row) <= set(content["headers"])
