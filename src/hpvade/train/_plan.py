"""The training plan: one step for training and validation alike, optimiser and schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import lightning
import torch

from hpvade._errors import NonFiniteLossError
from hpvade.metrics import r_type
from hpvade.nn import Batch, HPVADENetwork, LossTerms, LossWeights, NetworkOutput, describe_range, loss_terms

if TYPE_CHECKING:
    from torch import Tensor

    from hpvade.train._config import TrainConfig

Phase = Literal["train", "val"]


class TrainingPlan(lightning.LightningModule):
    """Optimiser, schedule and the shared step around a network.

    Parameters
    ----------
    network
        The network to train.
    config
        Learning rates and weight decay.
    weights
        Weights of the loss.
    """

    def __init__(self, network: HPVADENetwork, *, config: TrainConfig, weights: LossWeights) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.weights = weights
        self._estimates: list[Tensor] = []
        self._truths: list[Tensor] = []

    def shared_step(self, batch: Batch, batch_index: int, *, phase: Phase) -> tuple[LossTerms, NetworkOutput]:
        """Run the network, then compute, check and log the loss."""
        output = self.network(batch)
        terms = loss_terms(
            output,
            batch,
            weights=self.weights,
            bulk_space=self.network.config.reconstruction_space,
            membership=self.network.membership,
        )
        check_finite(
            terms, batch, output=output, where=f"{phase} batch {batch_index} of epoch {self.current_epoch}"
        )
        named = {f"{phase}_{name}": value.detach() for name, value in terms._asdict().items()}
        size = len(batch.fractions)
        self.log_dict(named, on_step=False, on_epoch=True, batch_size=size, sync_dist=True, logger=False)
        return terms, output

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the total loss of a training batch."""
        terms, _ = self.shared_step(batch, batch_idx, phase="train")
        return terms.loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the loss of a held-out batch and keep its fractions for `val_r_type`."""
        _, output = self.shared_step(batch, batch_idx, phase="val")
        self._estimates.append(output.fractions.mean(0).cpu())
        self._truths.append(batch.fractions.cpu())

    def on_validation_epoch_end(self) -> None:
        """Log the mean per-type correlation, which shows a collapse to the mean fractions."""
        value = r_type(torch.cat(self._estimates).double().numpy(), torch.cat(self._truths).double().numpy())
        self.log("val_r_type", float(value), logger=False)
        self._estimates.clear()
        self._truths.clear()

    def configure_optimizers(self) -> Any:  # noqa: ANN401 - Lightning's own union of ten types
        """AdamW with a one-cycle schedule (Smith & Topin, 2019) over all steps."""
        rate, signature = self.config.learning_rate, self.network.signature
        others = [p for p in self.network.parameters() if p is not signature.log_change]
        # The signature starts at that of the reference; it is adjusted, not fitted to the training cells.
        rates = [rate, rate * self.config.signature_rate]
        optimizer = torch.optim.AdamW(
            [{"params": others}, {"params": [signature.log_change]}],
            lr=rate,
            fused=True,
            weight_decay=self.config.weight_decay,
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=rates,
            total_steps=int(self.trainer.estimated_stepping_batches),
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def check_finite(terms: LossTerms, batch: Batch, *, output: NetworkOutput, where: str) -> None:
    """Stop training at the first NaN or Inf.

    Raises
    ------
    NonFiniteLossError
        A term is not finite; the message names it, the batch, and the range of every tensor behind it.
    """
    bad = [name for name, value in terms._asdict().items() if not torch.isfinite(value)]
    if not bad:
        return
    ranges = "; ".join(
        describe_range(f"{side} {name}", values.detach())
        for side, tensors in (("batch", batch), ("output", output))
        for name, values in tensors._asdict().items()
        if name != "cell_type"
    )
    msg = f"{', '.join(bad)} is not finite in {where}. Ranges: {ranges}."
    raise NonFiniteLossError(msg)
