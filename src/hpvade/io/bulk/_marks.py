"""How the numbers of a table are written: the decimal mark, and what separates thousands."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pandas as pd

from hpvade._errors import FileFormatError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

_SPACES: Final = " \u00a0\u202f'\N{RIGHT SINGLE QUOTATION MARK}"  # they separate thousands, and nothing else
_OTHER: Final = {".": ",", ",": "."}
_INTEGER: Final = re.compile(r"[+-]?\d+")
_GROUPED: Final = {mark: re.compile(rf"[+-]?[1-9]\d{{0,2}}(\{mark}\d{{3}})+") for mark in _OTHER}
_DECIMAL: Final = {mark: re.compile(rf"[+-]?(\d*\{mark}\d+|\d+\{mark})([eE][+-]?\d+)?") for mark in _OTHER}
_BOTH: Final = {
    mark: re.compile(rf"[+-]?[1-9]\d{{0,2}}(\{other}\d{{3}})+\{mark}\d*([eE][+-]?\d+)?")
    for mark, other in _OTHER.items()
}
_SPACED: Final = re.compile(rf"[+-]?[1-9]\d{{0,2}}([{_SPACES}])\d{{3}}(\1\d{{3}})*(?:([.,])\d+)?")

_LARGEST_LOG = 30.0  # 2**30 is more than any gene's expression
_ENOUGH = 100  # numbers that show the range of a table
_FEW = 10


class Marks(NamedTuple):
    """The decimal mark, and what separates thousands: one character each, the second may be missing."""

    decimal: str = "."
    thousands: str = ""


@dataclass
class _Mark:
    """How often a point or a comma was found in numbers, and as what."""

    decimal: int = 0
    thousands: int = 0
    either: int = 0  # in numbers like 1,351
    example: str = ""
    largest: float = 0.0  # of the numbers like 1,351, read as 1.351

    @property
    def role(self) -> str:
        if self.decimal or self.thousands:
            return "decimal" if self.decimal > self.thousands else "thousands"
        return "either" if self.either else ""


@dataclass
class Numbers:
    """Numbers of a table as they are written, and what they show about the marks.

    A comma or a point is a decimal mark if a leading zero or a group of other than three digits shows it. It
    separates thousands if it occurs twice, or before the other one. A number like 1,351 shows neither.
    """

    point: _Mark = field(default_factory=_Mark)
    comma: _Mark = field(default_factory=_Mark)
    spaces: Counter[str] = field(default_factory=Counter)
    example: str = ""  # with separated thousands
    n_integers: int = 0
    ungrouped: str = ""  # of at least four digits, without a separator

    def add(self, texts: Iterable[str]) -> None:
        """Add numbers; other texts are ignored."""
        for text in texts:
            self._add(text.strip())

    @property
    def is_plain(self) -> bool:
        """Whether a decimal point was found, and nothing else that needs attention."""
        return bool(self.point.decimal) and not (self.comma.role or self.spaces or self.point.thousands)

    @property
    def only_integers(self) -> bool:
        """Whether no mark was found."""
        return not (self.point.role or self.comma.role or self.spaces)

    def obvious_marks(self) -> Marks | None:
        """Return the marks that these numbers show; None if all numbers of the table are needed to decide."""
        if self.is_plain or self.only_integers:
            return Marks()
        if self.comma.role == "decimal" and not (self.point.role or self.spaces or self.comma.thousands):
            return Marks(",")
        return None

    def _add(self, text: str) -> None:
        if _INTEGER.fullmatch(text):
            self.n_integers += 1
            self._note_ungrouped(text)
        elif spaced := _SPACED.fullmatch(text):
            self.spaces[spaced[1]] += 1
            self.example = self.example or text
            if spaced[3]:
                self._mark(spaced[3]).decimal += 1
        else:
            for mark, other in _OTHER.items():
                if _GROUPED[mark].fullmatch(text):
                    self._add_grouped(text, mark)
                elif _DECIMAL[mark].fullmatch(text):
                    self._mark(mark).decimal += 1
                    self._note_ungrouped(text)
                elif _BOTH[mark].fullmatch(text):
                    self._mark(mark).decimal += 1
                    self._mark(other).thousands += 1
                    self.example = self.example or text

    def _add_grouped(self, text: str, mark: str) -> None:
        found = self._mark(mark)
        found.example = found.example or text
        if text.count(mark) > 1:
            found.thousands += 1
            self.example = self.example or text
        else:
            found.either += 1
            found.largest = max(found.largest, abs(float(text.replace(mark, "."))))

    def _note_ungrouped(self, text: str) -> None:
        if not self.ungrouped and re.match(r"[+-]?[1-9]\d{3}", text):
            self.ungrouped = text

    def _mark(self, mark: str) -> _Mark:
        return self.point if mark == "." else self.comma

    def marks(self, path: Path) -> Marks:
        """Decide on the marks of the table in the file ``path``.

        Raises
        ------
        FileFormatError
            If the numbers can be read in two ways.
        """
        point, comma = self.point.role, self.comma.role
        if point == "either" or comma == "either":
            point, comma = (
                self._decide(".", point, other=comma, path=path),
                self._decide(",", comma, other=point, path=path),
            )
        if comma == "decimal" and (point != "decimal" or self.comma.decimal > self.point.decimal):
            return Marks(",", "." if point == "thousands" else self._space())
        if point == "thousands" and comma != "thousands":
            return Marks(",", ".")
        return Marks(".", "," if comma == "thousands" else self._space())

    def _space(self) -> str:
        return max(self.spaces, key=self.spaces.__getitem__, default="")

    def _decide(self, mark: str, role: str, *, other: str, path: Path) -> str:
        """Decide on a mark that occurs in numbers like 1,351 only."""
        if role != "either":
            return role
        if other == "thousands" or self.spaces:
            return "decimal"
        found = self._mark(mark)
        if other == "either" or (self.ungrouped and (mark == "," or found.either >= _FEW)):
            raise _two_ways(path, found.example, self.ungrouped or self._mark(_OTHER[mark]).example)
        if self.ungrouped:
            return "decimal"
        if other == "decimal" or self.n_integers:
            return "thousands"  # no number below one thousand has the mark, and every other number has it
        if mark == "," and not (found.either >= _ENOUGH and found.largest <= _LARGEST_LOG):
            raise _two_ways(path, found.example)
        return "decimal"  # every number has three decimals

    def note(self, marks: Marks) -> list[str]:
        """Describe how the numbers were read, unless they could be read in no other way."""
        if marks.thousands:
            example = self.example or self._mark(marks.thousands).example
            return [
                "Numbers are written with thousands separators, which were removed: "
                f"'{example}' was read as {_plain(example, marks)}."
            ]
        if marks.decimal == "," and self.comma.role == "either":
            example = self.comma.example
            return [
                f"Numbers such as '{example}' were read with a decimal comma, as {_plain(example, marks)}, "
                f"because all have three decimals and none is above {_LARGEST_LOG:g}. If the comma separates "
                "thousands, remove it from the table."
            ]
        return []


def parse_numbers(texts: pd.Series, marks: Marks) -> NDArray[np.float64]:
    """Parse numbers that are written with these marks; what is not, and what is missing, becomes NaN."""
    decimal = re.escape(marks.decimal)
    grouped = rf"\d{{1,3}}(?:{re.escape(marks.thousands)}\d{{3}})+|" if marks.thousands else ""
    number = rf"[+-]?(?:(?:{grouped}\d+)(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][+-]?\d+)?|[+-]?inf(?:inity)?"
    codes, distinct = pd.factorize(texts)  # numbers often repeat; a missing one has the code -1
    written = pd.Series(distinct).astype(str).str.strip()
    written = written.where(written.str.fullmatch(number, case=False))
    if marks.thousands:
        written = written.str.replace(marks.thousands, "", regex=False)
    parsed = pd.to_numeric(written.str.replace(marks.decimal, ".", regex=False), errors="coerce")
    return np.append(parsed.to_numpy(np.float64), np.nan)[codes]


def _plain(text: str, marks: Marks) -> str:
    return text.replace(marks.thousands, "").replace(marks.decimal, ".")


def _two_ways(path: Path, example: str, beside: str = "") -> FileFormatError:
    found = f"'{example}'" + (f" beside '{beside}'" if beside else "")
    msg = (
        f"{path}: numbers such as {found} can be read in two ways, as {re.sub('[,.]', '.', example)} or as "
        f"{re.sub('[,.]', '', example)}. Export the table with a decimal point and without thousands "
        "separators."
    )
    return FileFormatError(msg)
