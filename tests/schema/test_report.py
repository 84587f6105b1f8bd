"""Reports add up, raise once, and can be shown."""

from __future__ import annotations

import pytest

from hpvade._errors import CountsError, LabelError
from hpvade._warnings import DataWarning
from hpvade.schema import Problem, ValidationReport

LABELS = ValidationReport(errors=(Problem(LabelError, "no labels"),), facts={"n_cells": 3})
COUNTS = ValidationReport(errors=(Problem(CountsError, "no counts"),), facts={"types": {"B": 2}})
DOUBT = ValidationReport(warnings=(Problem(DataWarning, "odd"),))


def test_reports_add_up():
    both = LABELS + COUNTS + DOUBT
    assert [problem.message for problem in both.errors] == ["no labels", "no counts"]
    assert [problem.message for problem in both.warnings] == ["odd"]
    assert both.facts == {"n_cells": 3, "types": {"B": 2}}
    assert LABELS.facts == {"n_cells": 3}


def test_raises_one_message_verbatim_and_several_numbered():
    with pytest.raises(LabelError) as caught:
        LABELS.raise_if_errors()
    assert str(caught.value) == "no labels"
    with pytest.raises(LabelError) as caught:
        (LABELS + COUNTS).raise_if_errors()
    assert str(caught.value) == "2 problems:\n1. no labels\n2. no counts"
    DOUBT.raise_if_errors()
    assert DOUBT.ok


def test_shown_as_text_and_as_plain_values():
    report = LABELS + COUNTS + DOUBT
    lines = report.to_text().splitlines()
    assert lines == [
        "Cells: 3",
        "types: B (2)",
        "Warning: odd",
        "Error: no labels",
        "Error: no counts",
        "2 problems to fix.",
    ]
    assert report.to_dict()["errors"][0] == {"kind": "LabelError", "message": "no labels"}
    assert report.to_dict()["ok"] is False
