"""The summary of a run on the terminal: cell types, samples as tiny bars, flags, where the results are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

    from hpvade.jobs import RunSummary

_BARS = "▁▂▃▄▅▆▇█"
_LONGEST_BAR = 24
_LONGEST_NAME = 24
_MOST_TYPES = 15  # lines for cell types
_MOST_SAMPLES = 16  # lines for samples
_NAMED = 5  # samples named for each flag


def summary(run: RunSummary, output: Path) -> Text:
    """Return the summary; colours are those of the cell types in the report."""
    from hpvade.pl import cell_type_colors

    fractions = run.fractions
    colors = cell_type_colors([str(name) for name in fractions])
    order = fractions.mean().sort_values(ascending=False).index
    median = 100 * run.half_widths[run.cell_types].stack().median()
    n = len(fractions)
    text = Text(f"{n:,} sample{'s' * (n > 1)}, {len(run.cell_types)} cell types. ")
    text.append(
        f"The median {100 * run.coverage:g}% interval of a cell type is ±{median:.1f} percentage points.\n\n"
    )
    for line in _types(run, order[:_MOST_TYPES], colors):
        text.append_text(line)
    if len(order) > _MOST_TYPES:
        text.append(f"  … and {len(order) - _MOST_TYPES} more\n")
    text.append("\nSamples, with one bar per cell type in the same order:\n")
    for line in _samples(fractions[order[:_MOST_TYPES]], colors):
        text.append_text(line)
    text.append("\n")
    if len(run.likeness):
        like = ", ".join(
            f"{words} ({n:,} sample{'s' * (n > 1)})" for words, n in run.likeness.iloc[:_NAMED].items()
        )
        text.append(f"Cells that the reference lacks resemble {like}.\n", style="yellow")
    text.append("".join(f"{line}\n" for line in _flagged(run.flags)), style="yellow")
    if (output / "report.html").exists():
        text.append("Report:  ", style="bold").append(f"{output / 'report.html'}\n")
    text.append("Results: ", style="bold").append(str(output))
    return text


def _types(run: RunSummary, names: pd.Index, colors: dict[str, str]) -> Iterator[Text]:
    """Mean of each type with its range, the median half width of its interval, and a bar."""
    fractions = run.fractions
    largest = fractions.mean().max()
    for name in names:
        mean, low, high = fractions[name].mean(), fractions[name].min(), fractions[name].max()
        half = run.half_widths[name].median()
        line = Text(f"  {_fitted(name)}  {mean:6.1%}  ±{half:5.1%}  ")
        line.append("█" * round(_LONGEST_BAR * mean / largest) or "▏", style=colors[str(name)])
        yield line.append(f"  {low:.0%} to {high:.0%}\n" if len(fractions) > 1 else "\n", style="dim")


def _samples(fractions: pd.DataFrame, colors: dict[str, str]) -> Iterator[Text]:
    largest = fractions.to_numpy().max()
    for sample, row in fractions.iloc[:_MOST_SAMPLES].iterrows():
        line = Text(f"  {_fitted(sample)}  ")
        for name, fraction in row.items():
            line.append(_bar(fraction / largest), style=colors[str(name)])
        yield line.append(f"  {row.idxmax()} {row.max():.0%}\n", style="dim")
    if len(fractions) > _MOST_SAMPLES:
        yield Text(f"  … and {len(fractions) - _MOST_SAMPLES:,} more\n")


def _fitted(name: object) -> str:
    text = str(name)
    return f"{text:<{_LONGEST_NAME}}" if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"


def _flagged(flags: pd.Series) -> Iterator[str]:
    """List the flagged samples, one line per flag."""
    from hpvade.deconvolve import FLAGS

    if flags.map(bool).any():
        yield "Flagged samples (details in qc.tsv):"
    for name, flag in FLAGS.items():
        samples = flags.index[flags.map(lambda names, flag=name: flag in names)]
        if len(samples):
            shown = ", ".join(map(str, samples[:_NAMED])) + (", …" if len(samples) > _NAMED else "")
            yield f"  {name}: {len(samples):,} ({shown}): {flag.meaning}"


def _bar(height: float) -> str:
    """Return a character as high as ``height``, 0 to 1."""
    return _BARS[min(int(height * len(_BARS)), len(_BARS) - 1)]
