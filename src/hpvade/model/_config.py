"""All settings of a model, and the presets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from hpvade._errors import InputError, suggest
from hpvade._types import OLD_PRESETS
from hpvade.deconvolve import DeconvolveConfig
from hpvade.nn import LossWeights, NetworkConfig
from hpvade.pp import PreprocessConfig
from hpvade.simulate import SimulateConfig
from hpvade.train import TrainConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hpvade._types import Preset


_MOVED = {
    "deconvolve.level": "Use --coverage, 'coverage: 0.9' outside of the sections of --config, or "
    "deconvolve(bulk, coverage=0.9).",
    "deconvolve.with_unknown": "The column is there by default. To leave it out, use --no-unknown, "
    "'with_unknown: false' outside of the sections of --config, or deconvolve(bulk, with_unknown=False).",
}


class HPVADEConfig(BaseModel):
    """One section per stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preprocess: PreprocessConfig = PreprocessConfig()
    simulate: SimulateConfig = SimulateConfig()
    network: NetworkConfig = NetworkConfig()
    loss: LossWeights = LossWeights()
    train: TrainConfig = TrainConfig()
    deconvolve: DeconvolveConfig = DeconvolveConfig()

    def updated(self, changes: Mapping[str, Any]) -> HPVADEConfig:
        """Return a copy with some settings changed, checked.

        Parameters
        ----------
        changes
            Section → setting → value, for instance ``{"train": {"max_epochs": 5}}``.

        Raises
        ------
        InputError
            A section or setting does not exist, or a value is out of range; it is named.
        """
        merged = self.model_dump()
        known = [*merged, *(f"{section}.{name}" for section, settings in merged.items() for name in settings)]
        for section, values in changes.items():
            if not isinstance(values, dict):
                msg = f"Section '{section}' must contain 'setting: value' pairs. Got {values!r}."
                raise InputError(msg)
            merged[section] = {**merged.get(section, {}), **values}
        try:
            return HPVADEConfig.model_validate(merged)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            if place in _MOVED:
                msg = f"'{place}' is no longer a setting of the model. {_MOVED[place]}"
            elif first["type"] == "extra_forbidden":
                msg = f"There is no setting '{place}'.{suggest(place, known)}"
            else:
                msg = f"Setting '{place}': {first['msg']}. Got {first['input']!r}."
            raise InputError(msg) from error


PRESETS: dict[str, HPVADEConfig] = {
    "default": HPVADEConfig(),
    # The original description to the letter. Its losses are finite and it does not learn: the CPM
    # reconstruction outweighs the proportion loss by five orders of magnitude. Kept as a reference point.
    "original": HPVADEConfig(
        preprocess=PreprocessConfig(n_genes=5_000, n_markers=0, n_states=1),
        simulate=SimulateConfig(
            n_mixtures=10_000, n_heldout=2_000, n_cells=1_000, sparse=0, one_source=False, platform_width=0
        ),
        network=NetworkConfig(
            input_dropout=0,
            layer_norm=False,
            input_space="cpm",
            reconstruction_space="cpm",
            use_rna_content=False,
        ),
        train=TrainConfig(max_epochs=10, signature_rate=1),
        deconvolve=DeconvolveConfig(subtract_background=False, fit=False),
    ),
    "fast": HPVADEConfig(
        preprocess=PreprocessConfig(n_markers=100),
        network=NetworkConfig(hidden=(128,), vae_hidden=64),
    ),
}


def preset_name(preset: str) -> Preset:
    """Return the name of a preset, also for a name that it had earlier.

    Raises
    ------
    InputError
        No such preset; the known ones are listed.
    """
    name = OLD_PRESETS.get(preset, preset)
    if name not in PRESETS:
        msg = f"There is no preset '{preset}'. Presets: {', '.join(PRESETS)}.{suggest(preset, PRESETS)}"
        raise InputError(msg)
    return cast("Preset", name)


def preset_config(preset: str) -> HPVADEConfig:
    """Look up a preset; errors as for `preset_name`."""
    return PRESETS[preset_name(preset)]


def chosen_config(preset: str, config: HPVADEConfig | Mapping[str, Mapping[str, Any]] | None) -> HPVADEConfig:
    """Return a whole configuration as it is, or the preset with the changes in ``config``."""
    return config if isinstance(config, HPVADEConfig) else preset_config(preset).updated(config or {})
