from __future__ import annotations

import pytest

from hpvade._errors import FileFormatError
from hpvade.jobs.benchmark._peers import find_peers

NAMES = {"references": ["fine", "fine.v2"], "datasets": ["flow", "flow.late"]}


def test_names_are_taken_apart_even_if_they_have_dots(peer):
    for name in ("fine.tool.flow", "fine.v2.my.tool-1.2.flow.late.13", "fine.tool.flow.7"):
        folder = peer(name)
    found = [(p.reference, p.method, p.dataset, p.seed) for p in find_peers(folder, **NAMES)]
    assert found == [
        ("fine", "tool", "flow", 7),
        ("fine", "tool", "flow", None),
        ("fine.v2", "my.tool-1.2", "flow.late", 13),
    ]


def test_facts_are_read_if_there_are_any(peer):
    peer("fine.a.flow", facts={"seconds": 1.5})
    folder = peer("fine.b.flow")
    with_facts, without = (p.read() for p in find_peers(folder, **NAMES))
    assert with_facts.facts == {"seconds": 1.5}
    assert without.facts == {}
    assert list(without.fractions.columns) == ["B", "Monocyte", "T"]


@pytest.mark.parametrize("facts", [[1], {"seconds": "long"}, {"peak_memory_mb": True}])
def test_bad_facts(peer, facts):
    folder = peer(facts=facts)
    with pytest.raises(FileFormatError, match=r"fine.tool.flow.json must contain"):
        find_peers(folder, **NAMES)[0].read()


def test_every_wrong_name_is_told(peer):
    for name in ("fine.tool.flwo", "fin.tool.flow", "fine.nnls.flow", "notes"):
        folder = peer(name)
    with pytest.raises(FileFormatError) as error:
        find_peers(folder, **NAMES)
    said = str(error.value)
    assert "fine.tool.flwo.tsv is not named REFERENCE.METHOD.DATASET[.SEED].tsv. Did you mean 'flow'?" in said
    assert "Did you mean 'fine'?" in said
    assert "fine.nnls.flow.tsv has the name of an hpvade method" in said
    assert "notes.tsv is not named" in said


def test_no_estimates(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(FileFormatError, match="contains no estimates"):
            find_peers(folder, **NAMES)
