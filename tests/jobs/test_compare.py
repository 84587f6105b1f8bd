from __future__ import annotations

import numpy as np
import pytest

from hpvade._errors import InputError
from hpvade.jobs import baseline_fractions, compare_with_baselines


@pytest.mark.parametrize("step", [1, 2])
def test_baselines_recover_clean_mixtures_whichever_genes_were_measured(trained, step):
    """RNA content of a cell shrinks with the measured genes; the fractions must not."""
    model, bulk = trained
    answers = baseline_fractions(model, bulk[:, ::step].copy())
    for name in ("weighted NNLS", "multinomial mixture EM"):
        np.testing.assert_allclose(answers[name], bulk.obsm["fractions"], atol=1e-3)
    mean = answers["mean training fraction"]
    np.testing.assert_allclose(mean, np.tile(model.training_fractions.mean(0), (6, 1)), atol=1e-6)


def test_svr_answers_when_asked(trained):
    model, bulk = trained
    assert "nu-SVR" not in baseline_fractions(model, bulk)
    (name, table), *others = baseline_fractions(model, bulk, methods=["svr"]).items()
    assert (name, others) == ("nu-SVR", [])
    np.testing.assert_allclose(table, bulk.obsm["fractions"], atol=0.03)


def test_unknown_baseline(trained):
    with pytest.raises(InputError, match=r"no baseline 'svm'.*Did you mean 'svr'"):
        baseline_fractions(*trained, methods=["nnls", "svm"])


def test_table_of_methods(trained):
    model, bulk = trained
    truth = bulk.obsm["fractions"]
    table = compare_with_baselines(truth, truth, model=model, bulk=bulk)
    perfect = {"r_type": 1.0, "ccc_type": 1.0, "r": 1.0, "ccc": 1.0, "rmse": 0.0}
    assert table.loc["HP-VADE"].to_dict() == pytest.approx(perfect)
    assert np.isnan(table.loc["mean training fraction", "r_type"])
