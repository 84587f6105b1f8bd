"""Settings of the network."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from hpvade import _limits as limits
from hpvade._types import Space  # noqa: TC001 - pydantic reads it at run time


class NetworkConfig(BaseModel):
    """Sizes and spaces of the network.

    Attributes
    ----------
    n_latent
        Latent dimensions of the VAE.
    vae_hidden
        Hidden width of encoder and decoder.
    hidden
        Hidden widths of a member of the deconvolution network.
    members
        Number of independent deconvolution networks; the estimate is their mean.
    dropout
        Dropout after each hidden layer of a member.
    input_dropout
        Share of genes hidden in training; genes missing from a bulk table are hidden in the same way.
    layer_norm
        Whether to normalise hidden layers.
    input_space
        Space of the input of the deconvolution network.
    reconstruction_space
        Space in which the reconstructed bulk is compared.
    use_rna_content
        Whether m converts cell fractions to RNA fractions; otherwise r = p.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    n_latent: int = Field(default=16, ge=1, le=limits.MAX_WIDTH)
    vae_hidden: int = Field(default=128, ge=1, le=limits.MAX_WIDTH)
    hidden: tuple[Annotated[int, Field(ge=1, le=limits.MAX_WIDTH)], ...] = Field(
        default=(256, 128), max_length=limits.MAX_LAYERS
    )
    members: int = Field(default=1, ge=1, le=limits.MAX_MEMBERS)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    input_dropout: float = Field(default=0.1, ge=0, lt=1)
    layer_norm: bool = True
    input_space: Space = "log"
    reconstruction_space: Space = "log"
    use_rna_content: bool = True
