"""A list of everything that is wrong with a data set, readable and complete instead of one at a time."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from digit.run.errors import UserError

EXAMPLES = 5


@dataclass
class Problem:
    """One kind of problem in one file: how often, where for example, and what to do."""

    where: str
    what: str
    remedy: str
    count: int = 0
    examples: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.examples:
            more = ", ..." if self.count > len(self.examples) else ""
            text += f" ({self.count}: {', '.join(self.examples)}{more})"
        return f"{text}; {self.remedy}" if self.remedy else text

    def as_dict(self) -> dict[str, Any]:
        """Return the problem as JSON."""
        return {"where": self.where, "what": self.what, "count": self.count, "examples": self.examples} | {
            "remedy": self.remedy
        }


class Problems:
    """Collects errors and warnings; equal ones are counted together."""

    def __init__(self) -> None:
        self._errors: dict[tuple[str, ...], Problem] = {}
        self._warnings: dict[tuple[str, ...], Problem] = {}

    @property
    def errors(self) -> list[Problem]:
        """What makes the data unusable."""
        return list(self._errors.values())

    @property
    def warnings(self) -> list[Problem]:
        """What a person should know."""
        return list(self._warnings.values())

    def error(self, where: Any, what: str, remedy: str, examples: Sequence[Any] = ()) -> None:
        """Note an error; ``examples`` are all its occurrences, of which the first few are shown."""
        self._note(self._errors, str(where), what, remedy, examples)

    def warn(self, where: Any, what: str, remedy: str, examples: Sequence[Any] = ()) -> None:
        """Note a warning."""
        self._note(self._warnings, str(where), what, remedy, examples)

    @contextlib.contextmanager
    def gathering(self) -> Iterator[None]:
        """Turn a :class:`UserError` raised inside the block into an entry, and continue after the block."""
        try:
            yield
        except UserError as error:
            self._note(self._errors, "", str(error), "", ())

    def raise_errors(self, title: str) -> None:
        """End with every error at once, if there is any.

        Raises:
            UserError: ``title`` and one line for each kind of error.
        """
        if self._errors:
            count = len(self._errors)
            lines = "\n".join(f"  - {problem}" for problem in self.errors)
            raise UserError(f"{title}: {count} {'problem' if count == 1 else 'problems'}\n{lines}")

    @staticmethod
    def _note(
        entries: dict[tuple[str, ...], Problem], where: str, what: str, remedy: str, examples: Sequence[Any]
    ) -> None:
        problem = entries.setdefault((where, what, remedy), Problem(where, what, remedy))
        problem.count += max(len(examples), 1)
        room = EXAMPLES - len(problem.examples)
        problem.examples += [str(example) for example in examples[:room]]
