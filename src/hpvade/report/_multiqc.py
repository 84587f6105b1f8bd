"""Custom content for MultiQC: composition as a bar graph, quality columns in the general statistics table.

Format: https://docs.seqera.io/multiqc/custom_content
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from hpvade.pl import cell_type_colors

if TYPE_CHECKING:
    from pathlib import Path

    from hpvade.results import Results

_FRACTIONS = "hpvade_fractions_mqc.json"
_QUALITY = "hpvade_quality_mqc.json"
_COLUMNS: dict[str, dict[str, Any]] = {
    "reconstruction_r": {
        "title": "Reconstruction r",
        "description": "Correlation between the sample and its reconstruction from the fractions, log space",
        "min": 0,
        "max": 1,
        "format": "{:,.2f}",
    },
    "unknown": {
        "title": "Unknown",
        "description": "Estimated fraction of cells that belong to no cell type of the reference",
        "min": 0,
        "max": 1,
        "format": "{:,.2f}",
    },
    "n_flags": {"title": "Flags", "description": "Number of quality flags", "format": "{:,.0f}"},
}


def write_multiqc(results: Results, folder: Path) -> None:
    """Write both files to a folder."""
    colors = cell_type_colors([str(name) for name in results.fractions])
    fractions = {
        "id": "hpvade_fractions",
        "section_name": "hpvade: cell-type composition",
        "description": "Cell fractions of each sample, in percent, estimated with hpvade.",
        "plot_type": "bargraph",
        "pconfig": {
            "id": "hpvade_fractions_plot",
            "title": "hpvade: cell fractions",
            "ylab": "% of cells",
            "cpswitch": False,
            "tt_decimals": 1,
        },
        "categories": {str(name): {"color": color} for name, color in colors.items()},
        "data": {
            str(sample): {str(name): round(100 * value, 3) for name, value in row.items()}
            for sample, row in results.fractions.iterrows()
        },
    }
    qc = results.qc.assign(n_flags=results.qc["flags"].map(len).astype(float))
    quality = {
        "id": "hpvade_quality",
        "plot_type": "generalstats",
        "headers": _COLUMNS,
        "data": {
            str(sample): {name: value for name, value in row.items() if not math.isnan(value)}
            for sample, row in qc[list(_COLUMNS)].iterrows()
        },
    }
    for name, content in ((_FRACTIONS, fractions), (_QUALITY, quality)):
        (folder / name).write_text(json.dumps(content, indent=1) + "\n")
