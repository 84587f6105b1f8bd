"""The report of a validation: every problem at once, and facts about the data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hpvade._errors import numbered_list
from hpvade._titles import described_facts
from hpvade._warnings import DataWarning, warn

if TYPE_CHECKING:
    from hpvade._errors import InputError


@dataclass(frozen=True)
class Problem:
    """An error or a warning.

    ``kind`` is the class to raise, or `DataWarning`; ``message`` states what is wrong, where, and the remedy;
    ``n`` is larger than 1 if it lists several problems.
    """

    kind: type[InputError | DataWarning]
    message: str
    n: int = 1


@dataclass(frozen=True)
class ValidationReport:
    """Errors, warnings, and facts (JSON-able values by name); ``+`` joins two reports."""

    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    facts: dict[str, object] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings do not count."""
        return not self.errors

    def __add__(self, other: ValidationReport) -> ValidationReport:
        return ValidationReport(
            self.errors + other.errors, self.warnings + other.warnings, {**self.facts, **other.facts}
        )

    def raise_if_errors(self) -> None:
        """Raise the first error's class with the messages of all errors.

        Raises
        ------
        InputError
            If there is any error; several messages are a numbered list.
        """
        if self.ok:
            return
        msg = numbered_list([problem.message for problem in self.errors])
        raise self.errors[0].kind(msg)

    def warn(self) -> None:
        """Emit every warning of the report."""
        for problem in self.warnings:
            warn(problem.message, DataWarning)

    def to_text(self) -> str:
        """Return the report as lines of plain text: facts, warnings, errors, verdict."""
        n = sum(problem.n for problem in self.errors)
        verdict = f"{n} {'problem' if n == 1 else 'problems'} to fix." if n else "No problems found."
        return "\n".join(
            [
                *(f"{title}: {_on_one_line(fact)}" for title, fact in described_facts(self.facts)),
                *(f"Warning: {problem.message}" for problem in self.warnings),
                *(f"Error: {problem.message}" for problem in self.errors),
                verdict,
            ]
        )

    def to_dict(self) -> dict[str, object]:
        """Return the report as nested plain values, ready for JSON."""
        return {
            "ok": self.ok,
            "errors": [{"kind": p.kind.__name__, "message": p.message} for p in self.errors],
            "warnings": [{"kind": p.kind.__name__, "message": p.message} for p in self.warnings],
            "facts": self.facts,
        }


def _on_one_line(fact: str | dict[str, str]) -> str:
    return ", ".join(f"{name} ({n})" for name, n in fact.items()) if isinstance(fact, dict) else fact
