"""How to read a bulk table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpvade.io import all_gene_names, open_bulk

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    import pandas as pd

    from hpvade._types import BulkUnit
    from hpvade.io import BulkFile


@dataclass(frozen=True)
class BulkOptions:
    """How to read a bulk table.

    Attributes
    ----------
    bulk_unit
        Unit of the values; ``"auto"`` detects it.
    ignore_case
        Whether genes are recognised in upper or lower case.
    """

    bulk_unit: BulkUnit = "auto"
    ignore_case: bool = False

    def open(self, path: Path, *, var: pd.DataFrame | None) -> AbstractContextManager[BulkFile]:
        """Open a table; ``var`` holds the genes of the reference or the model, and their other names."""
        genes = None if var is None else all_gene_names(var)
        return open_bulk(path, unit=self.bulk_unit, genes=genes, ignore_case=self.ignore_case)
