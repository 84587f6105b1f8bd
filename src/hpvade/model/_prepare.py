"""A checked and prepared reference: what training starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hpvade import _keys
from hpvade._errors import InputError, LabelError, absent_column
from hpvade.io import alias_columns, match_genes
from hpvade.pp import (
    Hierarchy,
    apply_rna_content,
    cell_states,
    gene_symbols,
    preprocess,
    reference_signature,
)
from hpvade.schema import check_overlap, check_reference
from hpvade.world import expected_content

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from anndata import AnnData

    from hpvade.model._trained import TrainedModel
    from hpvade.pp import CellStates, PreprocessConfig, ReferenceSignature


@dataclass(frozen=True)
class PreparedReference:
    """A reference after all checks.

    Attributes
    ----------
    cells
        Cells × genes, as `hpvade.pp.preprocess` returns them.
    signature
        S and m over all genes.
    states
        States of the cell types, over the model's genes.
    hierarchy
        Levels above the cell types.
    """

    cells: AnnData
    signature: ReferenceSignature
    states: CellStates
    hierarchy: Hierarchy

    @property
    def gene_names(self) -> pd.DataFrame:
        """All genes with their other names, one row per gene."""
        var = self.cells.var
        return var[alias_columns(var)].astype(object).fillna("").astype(str)


def setup_reference(
    reference: AnnData,
    labels_key: str,
    *,
    donor_key: str | None,
    rna_content: Mapping[str, float] | None,
    levels: Sequence[str],
) -> None:
    """Record in a reference where labels and donors are, and its RNA content; see `HPVADE.setup_anndata`."""
    for name, key in (("labels_key", labels_key), ("donor_key", donor_key)):
        if key is not None and key not in reference.obs:
            raise LabelError(absent_column(key, reference.obs, option=name, place="reference.obs"))
    if rna_content is not None:
        apply_rna_content(reference, rna_content, labels_key=labels_key)
    elif _keys.REFERENCE not in reference.obs:
        reference.obs.drop(columns=_keys.RNA_WEIGHT, errors="ignore", inplace=True)
    Hierarchy.from_obs(reference.obs, labels_key=labels_key, levels=levels)
    setup = {
        "labels_key": labels_key,
        "donor_key": donor_key or "",
        "levels": list(levels),
        _keys.CONTENT_GIVEN: rna_content is not None,
    }
    reference.uns[_keys.UNS] = dict(reference.uns.get(_keys.UNS, {})) | setup


def reference_settings(reference: AnnData) -> dict[str, Any]:
    """Return the columns of labels and donors that `setup_reference` recorded."""
    setup = {"labels_key": _keys.CELL_TYPE, "donor_key": ""} | dict(reference.uns.get(_keys.UNS, {}))
    return {key: setup[key] for key in ("labels_key", "donor_key")}


def prepare_cells(
    reference: AnnData,
    settings: Mapping[str, Any],
    *,
    config: PreprocessConfig,
    bulk: AnnData | None = None,
) -> AnnData:
    """Check a reference, then prepare it as `hpvade.pp.preprocess` does.

    Parameters
    ----------
    reference, config
        As for `hpvade.pp.preprocess`.
    settings
        ``labels_key``, ``donor_key`` (empty: none) and ``seed``.
    bulk
        Samples whose genes the model is restricted to.

    Raises
    ------
    InputError
        Labels, counts or genes cannot be used; all problems are reported at once.
    """
    labels_key, donor_key = settings["labels_key"], settings["donor_key"] or None
    report = check_reference(
        reference, labels_key=labels_key, donor_key=donor_key, min_cells=config.min_cells
    )
    genes = None
    if bulk is not None:
        bulk = match_genes(bulk, reference.var)
        report += check_overlap(bulk, reference.var_names)
        genes = set(bulk.var_names)
    report.raise_if_errors()
    report.warn()
    return preprocess(
        reference,
        labels_key=labels_key,
        donor_key=donor_key,
        genes=genes,
        config=config,
        seed=settings["seed"],
    )


def prepare(
    reference: AnnData,
    settings: Mapping[str, Any],
    *,
    config: PreprocessConfig,
    bulk: AnnData | None = None,
    use_published: bool = True,
) -> PreparedReference:
    """Check and prepare a reference; parameters and errors as for `prepare_cells`.

    ``use_published``: take published RNA contents into account, unless the user gave some.
    """
    cells = prepare_cells(reference, settings, config=config, bulk=bulk)
    signature = _signature(cells, reference, use_published=use_published)
    return PreparedReference(cells, signature, cell_states(cells), _recorded_hierarchy(reference))


def _signature(cells: AnnData, reference: AnnData, *, use_published: bool) -> ReferenceSignature:
    """Compute S and m, and scale the cells to m, which follows published values if none is given."""
    signature = reference_signature(cells)
    if not use_published or reference.uns.get(_keys.UNS, {}).get(_keys.CONTENT_GIVEN, False):
        return signature
    measured, cell_types = signature.all_genes.rna_content, signature.all_genes.cell_types
    expected = expected_content(
        signature.cell_counts(),
        cell_types,
        symbols=gene_symbols(cells.var),
        measured_sd=float(signature.content_sd.mean()),
    )
    factor = dict(zip(cell_types, expected.content / measured, strict=True))
    weight = cells.obs[cells.uns[_keys.UNS]["labels_key"]].astype(str).map(factor).to_numpy(np.float64)
    cells.obs[_keys.RNA_WEIGHT] = cells.obs.get(_keys.RNA_WEIGHT, 1.0) * weight
    cells.uns[_keys.UNS][_keys.PUBLISHED_CONTENT] = dict(zip(cell_types, expected.cells, strict=True))
    return signature.with_content(expected.content, expected.log_sd)


def prepare_again(reference: AnnData, trained: TrainedModel) -> PreparedReference:
    """Prepare the reference of a trained model, to train it further.

    Parameters
    ----------
    reference
        The reference that the model was trained on, after `setup_reference`.
    trained
        The model.

    Raises
    ------
    InputError
        Genes, cell types, their levels or RNA content differ from the model's, or the reference cannot be
        used.
    """
    cells = prepare_cells(reference, trained.settings, config=trained.config.preprocess)
    cells.var[_keys.SELECTED] = cells.var_names.isin(list(trained.genes))
    signature = _signature(cells, reference, use_published=trained.config.network.use_rna_content)
    hierarchy = _recorded_hierarchy(reference)
    found, expected = signature.all_genes, trained.reference_signature.all_genes
    if (found.genes, found.cell_types) != (expected.genes, expected.cell_types):
        msg = "The model was trained on another reference: genes or cell types differ. Use that reference."
        raise InputError(msg)
    if not _same_levels(hierarchy, trained.hierarchy):
        msg = "The model was trained with other levels of cell types. Set up the reference with the same."
        raise InputError(msg)
    if not np.allclose(found.rna_content, expected.rna_content, rtol=1e-4):
        msg = "The model was trained with another RNA content or on other cells. Use the same ones."
        raise InputError(msg)
    return PreparedReference(cells, trained.reference_signature, trained.states, trained.hierarchy)


def _recorded_hierarchy(reference: AnnData) -> Hierarchy:
    """Return the hierarchy of the levels that were recorded in a reference; by default it has none."""
    setup = reference.uns.get(_keys.UNS, {})
    labels_key = setup.get("labels_key", _keys.CELL_TYPE)
    return Hierarchy.from_obs(reference.obs, labels_key=labels_key, levels=list(setup.get("levels", [])))


def _same_levels(one: Hierarchy, other: Hierarchy) -> bool:
    return one.levels == other.levels and np.array_equal(one.table.to_numpy(), other.table.to_numpy())
