"""Batches of cells and mixtures for training and validation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import lightning
import numpy as np
import torch

from hpvade import _keys
from hpvade._random import child_rng
from hpvade.nn import Batch
from hpvade.pp import counts_to_log, cpm_to_log, model_genes
from hpvade.simulate import add_effects, simulate

if TYPE_CHECKING:
    from collections.abc import Iterator

    import scipy.sparse as sp
    from anndata import AnnData
    from numpy.typing import NDArray

    from hpvade._types import Split
    from hpvade.simulate import SimulateConfig


@dataclass(frozen=True, slots=True)
class SplitData:
    """Cells and mixtures of one split, over the model's genes.

    Attributes
    ----------
    cells
        Shape (n_cells, n_genes), log space, CSR.
    cell_type
        Shape (n_cells,), 0 … n_types-1.
    mixtures
        Without effects, shape (n_mixtures, n_genes), CPM.
    fractions
        Realised cell fractions, shape (n_mixtures, n_types).
    """

    cells: sp.csr_matrix
    cell_type: NDArray[np.int64]
    mixtures: NDArray[np.float32]
    fractions: NDArray[np.float32]

    @classmethod
    def draw(cls, prepared: AnnData, *, split: Split, config: SimulateConfig, seed: int) -> SplitData:
        """Select the cells of a split and simulate its mixtures."""
        panel = model_genes(prepared)
        panel = panel[(panel.obs[_keys.SPLIT] == split).to_numpy()]
        labels = prepared.obs[prepared.uns[_keys.UNS]["labels_key"]].astype("category").cat.categories
        mixtures = simulate(prepared, config=config, split=split, effects=False, seed=seed)
        return cls(
            cells=counts_to_log(panel.layers[_keys.COUNTS]),
            cell_type=labels.get_indexer(panel.obs[prepared.uns[_keys.UNS]["labels_key"]]).astype(np.int64),
            mixtures=mixtures.X,
            fractions=mixtures.obsm[_keys.FRACTIONS].to_numpy(np.float32),
        )

    def mean_log(self) -> NDArray[np.float32]:
        """Return the mean of each gene over the mixtures, log space, shape (n_genes,)."""
        return cpm_to_log(self.mixtures).mean(0)


class Batches:
    """One pass over the mixtures of a split in random order, each batch with fresh effects and random cells.

    Parameters
    ----------
    data
        Cells and mixtures.
    effects
        Effects to add to the mixtures.
    batch_size
        Mixtures per batch, and cells per batch, of all processes together.
    rng
        Source of order, cells and effects: the same generator gives the same pass.
    rank, world_size
        Number of this process, and of all; each process uses its own part of the mixtures.
    """

    def __init__(
        self,
        data: SplitData,
        *,
        effects: SimulateConfig,
        batch_size: int,
        rng: np.random.Generator,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.data = data
        self.effects = effects
        self.batch_size = math.ceil(batch_size / world_size)
        per_process = len(data.mixtures) // world_size
        self.order = rng.permutation(len(data.mixtures))[rank * per_process : (rank + 1) * per_process]
        self.rng = rng if world_size == 1 else rng.spawn(world_size)[rank]

    def __len__(self) -> int:
        return math.ceil(len(self.order) / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self.order), self.batch_size):
            chosen = self.order[start : start + self.batch_size]
            cells = self.rng.integers(0, self.data.cells.shape[0], self.batch_size)
            mixture = self.data.mixtures[chosen]
            yield Batch(
                cells=torch.from_numpy(self.data.cells[cells].toarray()),
                cell_type=torch.from_numpy(self.data.cell_type[cells]),
                bulk=torch.from_numpy(add_effects(mixture, self.effects, rng=self.rng)),
                mixture=torch.from_numpy(mixture),
                fractions=torch.from_numpy(self.data.fractions[chosen]),
            )


class MixtureData(lightning.LightningDataModule):
    """Training and held-out batches; the effects of the held-out ones are the same in every epoch.

    Parameters
    ----------
    train, heldout
        The two splits.
    effects
        Effects to add to the mixtures.
    batch_size
        Mixtures per batch.
    seed
        Seed of order and effects.
    """

    def __init__(
        self,
        train: SplitData,
        heldout: SplitData,
        *,
        effects: SimulateConfig,
        batch_size: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.train = train
        self.heldout = heldout
        self.effects = effects
        self.batch_size = batch_size
        self.seed = seed
        self.first_epoch = 0  # above 0 when training continues, so that it draws other effects

    def train_dataloader(self) -> Batches:
        """Return the pass of this epoch; Lightning calls this every epoch."""
        trainer = self.trainer
        return Batches(
            self.train,
            effects=self.effects,
            batch_size=self.batch_size,
            rng=child_rng(self.seed, "epoch", self.first_epoch + trainer.current_epoch),
            rank=trainer.global_rank,
            world_size=trainer.world_size,
        )

    def val_dataloader(self) -> Batches:
        """Return the held-out pass."""
        rng = child_rng(self.seed, "heldout")
        return Batches(self.heldout, effects=self.effects, batch_size=self.batch_size, rng=rng)
