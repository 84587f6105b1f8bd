"""Settings of the network and of its loss."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

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
        Independent deconvolution networks; the answer is their mean.
    dropout
        Dropout after each hidden layer of a member.
    input_dropout
        Share of genes that training hides; a gene that a bulk table lacks is hidden likewise.
    layer_norm
        Normalise hidden layers.
    input_space
        Space that the deconvolution network reads.
    reconstruction_space
        Space in which the reconstructed bulk is compared.
    use_rna_content
        Whether m turns cell fractions into RNA fractions; without it r = p.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    n_latent: int = Field(default=16, ge=1)
    vae_hidden: int = Field(default=128, ge=1)
    hidden: tuple[PositiveInt, ...] = (256, 128)
    members: int = Field(default=3, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    input_dropout: float = Field(default=0.1, ge=0, lt=1)
    layer_norm: bool = True
    input_space: Space = "log"
    reconstruction_space: Space = "log"
    use_rna_content: bool = True


class LossWeights(BaseModel):
    """Weights of the loss terms.

    total = recon + kl·``kl`` + proto·``proto`` + ``bulk``·(prop + ``bulk_recon``·bulk_recon)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kl: float = Field(default=0.01, ge=0)
    proto: float = Field(default=0.1, ge=0)
    bulk: float = Field(default=5.0, ge=0)
    bulk_recon: float = Field(default=10.0, ge=0)
