"""The pages of the documentation, and the commands and programs on them."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHELL, PYTHON = ("", "bash", "sh"), ("python",)
_BLOCK = re.compile(r"(?:^<!-- ([^\n]+) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block, and what the comment above it says about running it."""

    page: Path
    language: str
    text: str
    mark: str

    @property
    def commands(self) -> list[str]:
        """The lines of a block for the shell; continued lines are one."""
        return self.text.replace("\\\n", " ").splitlines() if self.language in SHELL else []

    @property
    def runs(self) -> bool:
        """Whether tests/workflow/test_documentation.py runs it: there is no mark that says otherwise."""
        return self.language in (*SHELL, *PYTHON) and not self.mark.startswith(("not run: ", "run by "))

    @property
    def file(self) -> str | None:
        """Name of the file whose content the block is."""
        return self.mark.removeprefix("file: ") if self.mark.startswith("file: ") else None


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    """Fenced blocks of a page, in order."""
    return [Block(page, language, text, mark) for mark, language, text in _BLOCK.findall(page.read_text())]


def inline(page: Path) -> list[str]:
    """Pieces of code within the text."""
    return re.findall(r"`([^`\n]+)`", _BLOCK.sub("", page.read_text()))
