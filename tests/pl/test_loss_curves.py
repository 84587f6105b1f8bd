from __future__ import annotations

import numpy as np
import pytest

import hpvade
from hpvade._errors import InputError


def legend_of(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


@pytest.mark.parametrize(
    "term", ["loss", "loss_recon", "loss_kl", "loss_proto", "loss_prop", "loss_bulk_recon"]
)
def test_training_and_validation_of_a_term(term, history):
    axes = hpvade.pl.loss_curves(history, term=term)
    training, validation, best = axes.lines
    np.testing.assert_array_equal(training.get_data(), history[["epoch", f"train_{term}"]].T)
    np.testing.assert_array_equal(validation.get_data(), history[["epoch", f"val_{term}"]].T)
    epoch = history[f"val_{term}"].idxmin()
    assert best.get_data()[0] == [epoch]
    assert legend_of(axes)[:2] == ["training", "validation"]
    assert legend_of(axes)[2].endswith(f" (epoch {epoch})")


def test_the_correlation_is_for_validation_only_and_best_at_its_maximum(history):
    history.loc[7, "val_r_type"] = 0.95
    axes = hpvade.pl.loss_curves(history, term="r_type")
    assert legend_of(axes) == ["validation", "best: 0.95 (epoch 7)"]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), history["val_r_type"])


def test_the_axis_is_logarithmic_for_a_wide_range(history):
    assert hpvade.pl.loss_curves(history).get_yscale() == "linear"
    history.loc[0, "train_loss"] = 1e4
    assert hpvade.pl.loss_curves(history).get_yscale() == "log"
    history.loc[1, "train_loss"] = 0
    assert hpvade.pl.loss_curves(history).get_yscale() == "linear"


def test_one_epoch_and_missing_values(history):
    one = hpvade.pl.loss_curves(history.iloc[:1])
    one.figure.draw_without_rendering()
    assert legend_of(one) == ["training", "validation"]
    assert [line.get_marker() for line in one.lines] == ["o", "o"]
    history.loc[3:5, "val_loss"] = [np.nan, np.inf, np.nan]
    assert np.isnan(hpvade.pl.loss_curves(history).lines[1].get_ydata()).sum() == 3


def test_bad_input(history):
    for change, message in (
        (
            {"term": "loss_pro"},
            "no term 'loss_pro'. Available: loss, loss_recon.*r_type.*Did you mean 'loss_prop'",
        ),
        ({"history": history.drop(columns="epoch")}, "no column 'epoch'"),
        ({"history": history.iloc[:0]}, "history is empty"),
        ({"history": history.assign(train_loss=np.nan, val_loss=np.nan)}, "no values of 'loss'"),
    ):
        given = {"history": history} | change
        with pytest.raises(InputError, match=message):
            hpvade.pl.loss_curves(given.pop("history"), **given)
