"""The user's class: setup_anndata · train · deconvolve · save · load."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from hpvade import _keys
from hpvade._errors import HPVADEError
from hpvade.deconvolve import Calibration, Deconvolution
from hpvade.io import ALIAS_COLUMNS, GeneMatch, all_gene_names, find_gene_match
from hpvade.model._answer import expression_table, write_answer
from hpvade.model._checkpoint import Checkpoint, build_network, load_checkpoint, save_checkpoint
from hpvade.model._config import HPVADEConfig, chosen_config
from hpvade.model._deconvolver import deconvolve, deconvolve_blocks
from hpvade.model._latent import Latent, latent
from hpvade.model._prepare import in_log_space, match_bulk, prepare, prepare_again
from hpvade.model._provenance import provenance_of
from hpvade.model._setup import hierarchy_set_up, set_up, settings_set_up
from hpvade.model._training import train_network
from hpvade.pp import counts_to_cpm, cell_states, reference_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from anndata import AnnData

    from hpvade._types import Preset
    from hpvade.train import Row


class HPVADE:
    """Hierarchical prototype VAE for deconvolution.

    Parameters
    ----------
    reference
        Cells × genes with raw counts in ``layers["counts"]``, after `setup_anndata`.
    preset
        Settings to start from: ``"default"``, ``"fast"``, or the witness ``"seed"``.
    config
        Changes to the preset, section → setting → value, or a whole configuration.
    bulk
        Bulk samples that will be deconvolved. The model then reads only genes that they have.
    seed
        Seed of everything random: the same seed gives the same model.

    Raises
    ------
    InputError
        Labels, counts or genes cannot be used; the message names the remedy.

    Examples
    --------
    >>> import hpvade
    >>> reference = hpvade.testing.tiny_reference()
    >>> hpvade.HPVADE.setup_anndata(reference, labels_key="cell_type")
    >>> model = hpvade.HPVADE(reference, preset="fast")
    >>> model.signature.sum().round().tolist()
    [1000000.0, 1000000.0, 1000000.0]
    """

    def __init__(
        self,
        reference: AnnData,
        *,
        preset: Preset = "default",
        config: HPVADEConfig | dict[str, dict[str, Any]] | None = None,
        bulk: AnnData | None = None,
        seed: int = 0,
    ) -> None:
        self.config = config = chosen_config(preset, config)
        self.settings = settings_set_up(reference) | {"preset": preset, "seed": seed}
        # None in a model that was loaded without its reference
        self.prepared: AnnData | None = prepare(reference, self.settings, config=config.preprocess, bulk=bulk)
        self.reference_signature = reference_signature(self.prepared)
        self.states = cell_states(self.prepared)
        self.hierarchy = hierarchy_set_up(reference)
        var = self.prepared.var
        self._aliases = var[[name for name in ALIAS_COLUMNS if name in var]].astype(str)
        trust = var.loc[self.reference_signature.selected, _keys.TRUST].to_numpy()
        self.network = build_network(
            self.reference_signature.model_genes, config, hierarchy=self.hierarchy, trust=trust, seed=seed
        )
        self.calibration: Calibration | None = None
        self.history, self.heldout = pd.DataFrame(), pd.DataFrame()
        self.training_fractions = np.empty((0, len(self.cell_types)), np.float32)
        self.provenance: dict[str, Any] = provenance_of(self.prepared)

    @staticmethod
    def setup_anndata(
        reference: AnnData,
        *,
        labels_key: str = _keys.CELL_TYPE,
        donor_key: str | None = None,
        rna_content: Mapping[str, float] | None = None,
        levels: Sequence[str] = (),
    ) -> None:
        """Say which columns of ``reference.obs`` hold cell types and donors.

        Writes ``reference.uns["hpvade"]`` and, with ``rna_content``, ``obs["hpvade_rna_weight"]``.

        Parameters
        ----------
        reference
            Cells × genes with raw counts in ``layers["counts"]``.
        labels_key, donor_key
            Columns of ``obs``.
        rna_content
            Cell type → RNA content of one cell, in any unit. Default: as the reference shows it.
        levels
            Columns of ``obs`` with coarser labels, the coarsest first, to have answers at each level.

        Raises
        ------
        LabelError
            A column does not exist, a type has no RNA content, or levels contradict each other.
        """
        set_up(reference, labels_key, donor_key=donor_key, rna_content=rna_content, levels=levels)

    def train(
        self,
        *,
        max_epochs: int | None = None,
        accelerator: str = "auto",
        devices: str | int = "auto",
        strategy: str = "auto",
        tensorboard: str | Path | None = None,
        on_epoch: Callable[[Row], None] | None = None,
    ) -> bool:
        """Simulate mixtures and train; a second call goes on from where the first ended.

        Parameters
        ----------
        max_epochs
            Most epochs. Default: as configured.
        accelerator, devices, strategy, tensorboard
            As for `hpvade.train.TrainerOptions`.
        on_epoch
            Called with each new row of `history`.

        Returns
        -------
        Whether training ran to its end; False after Ctrl-C. The best weights are kept either way.

        Raises
        ------
        NonFiniteLossError
            A loss became NaN or infinite.
        """
        config = self.config.updated({} if max_epochs is None else {"train": {"max_epochs": max_epochs}})
        self.calibration = None  # also after a second Ctrl-C, what was measured holds for no other weights
        self.history, interrupted, self.training_fractions, self.calibration, self.heldout = train_network(
            self.network,
            self.prepared,
            signature=self.reference_signature,
            states=self.states,
            hierarchy=self.hierarchy,
            config=config,
            seed=self.settings["seed"],
            earlier=self.history,
            on_epoch=on_epoch,
            accelerator=accelerator,
            devices=devices,
            strategy=strategy,
            tensorboard=tensorboard,
        )
        return not interrupted

    def deconvolve(self, bulk: AnnData) -> Deconvolution:
        """Estimate fractions of bulk samples, with intervals.

        Writes ``obsm["fractions"]``, ``obsm["rna_fractions"]`` (samples × cell types, rows sum to 1),
        ``obsm["fractions_lower"]``, ``obsm["fractions_upper"]``, ``obs["reconstruction_r"]``,
        ``obs["unknown"]`` and ``uns["hpvade"]``; for each level above the types ``obsm["fractions_<level>"]``
        and its bounds. How wide: setting ``level`` of the section ``deconvolve``.

        Parameters
        ----------
        bulk
            Samples × genes, linear expression, as `hpvade.io.read_bulk` returns it.

        Raises
        ------
        GeneOverlapError
            Too few of the model's genes are in ``bulk``.
        HPVADEError
            The model was not trained.
        """
        result = deconvolve(self.network, self._matched(bulk), **self._of_answers())
        write_answer(bulk, result, settings=self.settings)
        return result

    def deconvolve_blocks(
        self, blocks: Iterable[AnnData], *, representative: AnnData
    ) -> Generator[Deconvolution, None, None]:
        """Estimate fractions of a table that comes in blocks of samples; see `hpvade.deconvolve.deconvolve_blocks`.

        Both are read from `hpvade.io.open_bulk`. Errors are those of `deconvolve`; the blocks stay untouched.
        """
        match = find_gene_match(representative.var, self._aliases)
        matched = (self._matched(block, match) for block in blocks)
        given = self._of_answers()
        yield from deconvolve_blocks(
            self.network, matched, representative=self._matched(representative, match), **given
        )

    def _matched(self, bulk: AnnData, match: GeneMatch | None = None) -> AnnData:
        match = match or find_gene_match(bulk.var, self._aliases)
        return match_bulk(bulk, match, genes=self.reference_signature.model_genes.genes)

    def _of_answers(self) -> dict[str, Any]:
        if self.calibration is None:
            msg = "The model is not trained yet. Call train() first."
            raise HPVADEError(msg)
        names = ("states", "calibration", "hierarchy")
        return {name: getattr(self, name) for name in names} | {
            "signature": self.reference_signature,
            "config": self.config.deconvolve,
        }

    def expression(self, bulk: AnnData, fractions: pd.DataFrame | None = None) -> AnnData:
        """Part bulk samples among their cell types, gene by gene; see `hpvade.deconvolve.split_by_cell_type`.

        Parameters
        ----------
        bulk
            As for `deconvolve`, which says what errors there are.
        fractions
            Cell fractions, samples × cell types. Default: those of `deconvolve`.

        Returns
        -------
        One row for each sample and type × genes of the reference; ``X`` is empty. ``layers["counts"]``: what
        the type contributes to the sample, in its unit; the sum over types is the sample. ``layers["cpm"]``:
        expression of the type; weighted by ``obs["rna_fraction"]`` the sum is the sample's CPM.
        ``obs["information"]``, 0 to 1: how much of a row was learned from the sample rather than from the
        reference. ``var["varies_in"]``: the type in which a gene varies between samples.
        """
        if fractions is None:
            fractions = self.deconvolve(bulk.copy()).fractions
        return expression_table(self._matched(bulk), fractions, signature=self.reference_signature)

    def latent(self, reference: AnnData | None = None) -> Latent:
        """Place cells and the prototypes of the cell types in the latent space of the VAE.

        Cells are those of ``reference``, with raw counts in ``layers["counts"]`` and genes named as in the
        reference of the model; by default those of the model's own.

        Raises
        ------
        InputError
            Counts or a gene are missing, or the model was loaded without its reference and none is given.
        """
        cells = in_log_space(
            self.prepared if reference is None else reference, self.reference_signature.model_genes.genes
        )
        return latent(self.network, cells, cell_types=self.cell_types)

    def gene_names(self) -> set[str]:
        """All names that the reference's genes go by, to tell genes from samples in a bulk table."""
        return all_gene_names(self._aliases)

    @property
    def cell_types(self) -> list[str]:
        """Cell types in the order of all outputs."""
        return list(self.reference_signature.all_genes.cell_types)

    @property
    def signature(self) -> pd.DataFrame:
        """Learned S, genes × cell types, CPM; columns sum to 1e6."""
        cpm = self.network.signature.cpm().detach().double().numpy()
        index = pd.Index(self.reference_signature.model_genes.genes, name="gene")
        return pd.DataFrame(counts_to_cpm(cpm.T).T, index=index, columns=self.cell_types)

    def save(self, folder: str | Path) -> None:
        """Write the model folder; see `load`."""
        data = (
            self.reference_signature,
            self.states,
            self.hierarchy,
            self.calibration,
            self.heldout,
            self._aliases,
        )
        checkpoint = Checkpoint(self.network, *data, self.config, self.settings, self.provenance)
        save_checkpoint(checkpoint, Path(folder))

    @classmethod
    def load(cls, folder: str | Path, *, reference: AnnData | None = None) -> Self:
        """Read a model folder; with its reference, training can go on.

        Raises
        ------
        FileFormatError
            The folder is not a model, or is damaged.
        InputError
            The reference is not the one that the model was trained on.
        """
        stored = load_checkpoint(Path(folder))
        model = cls.__new__(cls)
        model.config, model.settings, model.provenance = stored.config, stored.settings, stored.provenance
        model.network, model.reference_signature, model._aliases = (
            stored.network,
            stored.reference_signature,
            stored.aliases,
        )
        model.states, model.hierarchy, model.calibration = stored.states, stored.hierarchy, stored.calibration
        model.history, model.heldout = pd.DataFrame(), stored.heldout
        model.training_fractions = np.empty((0, len(model.cell_types)), np.float32)
        model.prepared = None if reference is None else prepare_again(reference, stored, folder=folder)
        return model
