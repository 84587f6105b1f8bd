"""The user's class: setup_anndata · train · deconvolve · save · load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from hpvade import _keys
from hpvade._errors import HPVADEError, InputError
from hpvade.model._checkpoint import load, save
from hpvade.model._config import HPVADEConfig, chosen_config, preset_name
from hpvade.model._deconvolver import COVERAGE, deconvolve, expression
from hpvade.model._latent import Latent, latent
from hpvade.model._prepare import prepare, prepare_again, reference_settings, setup_reference
from hpvade.model._slots import write_slots
from hpvade.model._train import train

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from anndata import AnnData

    from hpvade._types import Preset
    from hpvade.deconvolve import Deconvolution
    from hpvade.model._prepare import PreparedReference
    from hpvade.model._trained import TrainedModel
    from hpvade.pp import ReferenceSignature
    from hpvade.train import Row
    from hpvade.world import World


class HPVADE:
    """Hierarchical prototype VAE for deconvolution.

    Parameters
    ----------
    reference
        Cells × genes with raw counts in ``layers["counts"]``, after `setup_anndata`.
    preset
        Settings to start from: ``"default"``, ``"fast"``, or ``"original"``, the original description, which
        does not learn.
    config
        Changes to the preset, section → setting → value, or a whole configuration.
    bulk
        Bulk samples that will be deconvolved. The model then uses only genes that they have.
    seed
        Seed of everything random: the same seed gives the same model.
    trained
        A trained model to wrap instead, with its own settings. Without ``reference`` it cannot be trained
        further.

    Attributes
    ----------
    trained
        The trained model, a `TrainedModel`; None before `train`.
    history
        One row per epoch with all losses.

    Raises
    ------
    InputError
        Labels, counts or genes cannot be used, or ``trained`` was trained on another reference.

    Examples
    --------
    >>> import hpvade
    >>> reference = hpvade.testing.tiny_reference()
    >>> hpvade.HPVADE.setup_anndata(reference, labels_key="cell_type")
    >>> model = hpvade.HPVADE(reference, preset="fast")
    >>> model.reference_signature.model_genes.cell_types
    ('B', 'Monocyte', 'T')
    """

    def __init__(
        self,
        reference: AnnData | None = None,
        *,
        preset: Preset = "default",
        config: HPVADEConfig | dict[str, dict[str, Any]] | None = None,
        bulk: AnnData | None = None,
        seed: int = 0,
        trained: TrainedModel | None = None,
    ) -> None:
        self.trained = trained
        self._prepared: PreparedReference | None = None
        if trained is not None:
            self.config, self.settings = trained.config, trained.settings
            if reference is not None:
                self._prepared = prepare_again(reference, trained)
        elif reference is not None:
            self.config = chosen_config(preset, config)
            self.settings = reference_settings(reference) | {"preset": preset_name(preset), "seed": seed}
            self._prepared = prepare(
                reference,
                self.settings,
                config=self.config.preprocess,
                bulk=bulk,
                use_published=self.config.network.use_rna_content,
            )
        else:
            msg = "A model needs a reference to train on, or a trained model to wrap."
            raise InputError(msg)
        self.history = pd.DataFrame()
        self.training_fractions = np.empty((0, len(self.cell_types)), np.float32)

    @staticmethod
    def setup_anndata(
        reference: AnnData,
        *,
        labels_key: str = _keys.CELL_TYPE,
        donor_key: str | None = None,
        rna_content: Mapping[str, float] | None = None,
        levels: Sequence[str] = (),
    ) -> None:
        """Record which columns of ``reference.obs`` hold cell types and donors.

        Writes ``reference.uns["hpvade"]`` and, with ``rna_content``, ``obs["hpvade_rna_weight"]``.

        Parameters
        ----------
        reference
            Cells × genes with raw counts in ``layers["counts"]``.
        labels_key, donor_key
            Columns of ``obs``.
        rna_content
            Cell type → RNA content of one cell, in any unit. Default: as measured in the reference.
        levels
            Columns of ``obs`` with coarser labels, the coarsest first, to get fractions at each level.

        Raises
        ------
        LabelError
            A column does not exist, a type has no RNA content, or levels contradict each other.
        """
        setup_reference(reference, labels_key, donor_key=donor_key, rna_content=rna_content, levels=levels)

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
        """Simulate mixtures and train; a second call continues where the first ended.

        Parameters
        ----------
        max_epochs
            Maximum number of epochs. Default: as configured.
        accelerator, devices, strategy, tensorboard
            As for `hpvade.train.TrainerOptions`.
        on_epoch
            Called with each new row of `history`.

        Returns
        -------
        Whether training ran to its end; False after Ctrl-C. The best weights are kept either way.

        Raises
        ------
        HPVADEError
            The model was loaded without its reference.
        NonFiniteLossError
            A loss became NaN or infinite; the model stays as it was.
        """
        from hpvade.train import TrainerOptions  # noqa: PLC0415 - Lightning takes seconds to import

        if self._prepared is None:
            msg = (
                "A loaded model has no reference to train on. Load it with HPVADE.load(folder, reference=…)."
            )
            raise HPVADEError(msg)
        result = train(
            self._prepared,
            config=self.config.updated({} if max_epochs is None else {"train": {"max_epochs": max_epochs}}),
            settings=self.settings,
            earlier=self.trained,
            history=self.history if len(self.history) else None,
            on_epoch=on_epoch,
            options=TrainerOptions(accelerator, devices, strategy, tensorboard),
        )
        self.trained, self.history, finished, self.training_fractions = result
        return finished

    def deconvolve(
        self,
        bulk: AnnData,
        *,
        coverage: float = COVERAGE,
        with_unknown: bool = True,
        world: World | None = None,
        purity: pd.Series | None = None,
    ) -> Deconvolution:
        """Estimate fractions of bulk samples, with intervals.

        Writes ``obsm["fractions"]``, ``obsm["rna_fractions"]`` (samples × cell types, rows sum to 1),
        ``obsm["fractions_lower"]``, ``obsm["fractions_upper"]``, ``obs["reconstruction_r"]``,
        ``obs["unknown"]`` and ``uns["hpvade"]``; for each level above the types ``obsm["fractions_<level>"]``
        and its bounds.

        Parameters
        ----------
        bulk
            Samples × genes, linear expression, as `hpvade.io.read_bulk` returns it.
        coverage, with_unknown, world, purity
            As for `hpvade.model.deconvolve`, which lists further errors.

        Raises
        ------
        HPVADEError
            The model was not trained.
        """
        trained = self._require_trained()
        answer = deconvolve(
            trained, bulk, coverage=coverage, with_unknown=with_unknown, world=world, purity=purity
        )
        write_slots(bulk, answer, settings=trained.settings)
        return answer

    def expression(
        self,
        bulk: AnnData,
        fractions: pd.DataFrame | None = None,
        *,
        world: World | None = None,
        purity: pd.Series | None = None,
    ) -> AnnData:
        """Split bulk samples by cell type, gene by gene; see `hpvade.deconvolve.split_by_cell_type`.

        Parameters
        ----------
        bulk, world, purity
            As for `deconvolve`, which lists the errors.
        fractions
            Cell fractions, samples × cell types. Default: those of `deconvolve`.

        Returns
        -------
        As `hpvade.deconvolve.expression_table` returns it.
        """
        trained = self._require_trained()
        if fractions is None:
            fractions = deconvolve(trained, bulk, world=world, purity=purity).fractions
        return expression(trained, bulk, fractions, world=world, purity=purity)

    def latent(self, reference: AnnData | None = None) -> Latent:
        """Locate cells and the prototypes of the cell types in the latent space of the VAE.

        Cells are those of ``reference``, with raw counts in ``layers["counts"]`` and genes named as in the
        reference of the model; by default those of the model's own.

        Raises
        ------
        InputError
            Counts or a gene are missing, or the model was loaded without its reference and none is given.
        """
        cells = reference if reference is not None else self.prepared
        if cells is None:
            msg = "The model was loaded without its reference. Pass the reference, or load the model with it."
            raise InputError(msg)
        return latent(self._require_trained(), cells)

    @property
    def prepared(self) -> AnnData | None:
        """The prepared reference; None for a model that was loaded without it."""
        return None if self._prepared is None else self._prepared.cells

    @property
    def reference_signature(self) -> ReferenceSignature:
        """S and m of the reference over all genes, before training."""
        if self.trained is not None:
            return self.trained.reference_signature
        assert self._prepared is not None  # for the type checker: a model is trained or has its reference
        return self._prepared.signature

    @property
    def cell_types(self) -> list[str]:
        """Cell types in the order of all outputs."""
        return list(self.reference_signature.all_genes.cell_types)

    @property
    def signature(self) -> pd.DataFrame:
        """Learned S, genes × cell types, CPM; columns sum to 1e6. Before training that of the reference."""
        if self.trained is not None:
            return self.trained.signature
        start = self.reference_signature.model_genes
        return pd.DataFrame(start.cpm, index=pd.Index(start.genes, name="gene"), columns=self.cell_types)

    def save(self, folder: str | Path) -> None:
        """Write the model folder; see `load`.

        Raises
        ------
        HPVADEError
            The model was not trained.
        """
        save(self._require_trained(), folder)

    @classmethod
    def load(cls, folder: str | Path, *, reference: AnnData | None = None) -> Self:
        """Read a model folder; with its reference, training can continue.

        Raises
        ------
        FileFormatError
            The folder is not a model, or is damaged.
        InputError
            The reference is not the one that the model was trained on.
        """
        return cls(reference, trained=load(folder))

    def _require_trained(self) -> TrainedModel:
        if self.trained is None:
            msg = "The model is not trained yet. Call train() first."
            raise HPVADEError(msg)
        return self.trained
