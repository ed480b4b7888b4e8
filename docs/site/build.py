"""Build the documentation into build/docs: fill the generated parts in, run MkDocs, look at the result once more.

``python docs/site/build.py``, or ``make docs``. Warnings are errors: a link that leads nowhere, a page that is in no
menu, anything that a page would load from elsewhere.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import configuration
import messages
import rules

ROOT = Path(__file__).parents[2]
SOURCE, PAGES, SITE = ROOT / "docs", ROOT / "build" / "pages", ROOT / "build" / "docs"
NOT_SHOWN = shutil.ignore_patterns("*.py", "__pycache__", "errors.yaml", "requirements.lock")
PARTS: dict[str, Callable[[], str]] = {
    "configuration": configuration.configuration,
    "rules": rules.paragraphs,
    "graph": rules.drawing,
    "errors": messages.page,
    "changelog": lambda: _top_page("CHANGELOG.md"),
    "contributing": lambda: _top_page("CONTRIBUTING.md"),
}
"""What stands for ``<!-- generated: NAME -->``."""
TOP_PAGES = {"../CHANGELOG.md": "changelog.md", "../CONTRIBUTING.md": "contributing.md"}
"""Pages outside of docs/, as seen from there, and where the site has them."""
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")
_ROLE = re.compile(r":(?:func|class|mod|data|meth|attr):<code>~?(?:[\w.]*\.)?(\w+)</code>")
_LOADED = {
    "*.html": re.compile(
        r"""<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc=["']?(?:https?:)?//[^>\s]*"""
        r"""|<link\b(?=[^>]*\brel=["']?(?:stylesheet|preload|preconnect|icon))[^>]*\bhref=["']?(?:https?:)?//[^>\s]*"""
    ),
    "*.css": re.compile(r"""(?:@import|url\()\s*["']?(?:https?:)?//[^)"'\s]*"""),
}
"""How files of the site would load something from elsewhere."""


def fill() -> None:
    """Copy docs/ to build/pages, with what is generated in its place and links as the site has them."""
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.copytree(SOURCE, PAGES, ignore=NOT_SHOWN)
    for page in PAGES.rglob("*.md"):
        text = re.sub(r"<!-- generated: (\w+) -->", lambda found: _linked(PARTS[found[1]]()), page.read_text())
        page.write_text(_LINK.sub(partial(_on_site, page=page.relative_to(PAGES)), text))


def _on_site(link: re.Match[str], page: Path) -> str:
    """A link as the site has it; a file of the repository that is no page is only named."""
    target = Path(os.path.normpath(page.parent / link[2]))
    if str(target) in TOP_PAGES:
        return f"[{link[1]}]({os.path.relpath(TOP_PAGES[str(target)], page.parent)}{link[3] or ''})"
    return link[1] if target.parts[0] == ".." else link[0]


def _linked(text: str) -> str:
    """Make links of the pages that a generated text names."""
    return re.sub(r"(?<![\w(/`\[])docs/([\w/-]+\.md)(?![\w)`])", r"[\1](\1)", text)


def _top_page(name: str) -> str:
    """A page beside README.md, without its title and with its links as seen from docs/."""
    text = (ROOT / name).read_text().partition("\n")[2]
    return _LINK.sub(lambda found: f"[{found[1]}]({os.path.relpath(found[2], 'docs')}{found[3] or ''})", text)


def finish() -> list[str]:
    """Turn names in the roles of docstrings, such as :func:`digit.evaluate`, into code.

    Returns:
        What the site would load from elsewhere, by page: it must read the same without a network.
    """
    for page in SITE.rglob("*.html"):
        page.write_text(_ROLE.sub(r"<code>\1</code>", page.read_text()))
    return [
        f"{path.relative_to(SITE)} loads {found[0]}"
        for suffix, pattern in _LOADED.items()
        for path in sorted(SITE.rglob(suffix))
        for found in pattern.finditer(path.read_text())
    ]


def main() -> None:
    """Build the site, or end with what is wrong with it."""
    fill()
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--config-file", str(ROOT / "mkdocs.yml")]
    quiet = {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    if subprocess.run(command, cwd=ROOT, env=os.environ | quiet, check=False).returncode:
        sys.exit("the documentation was not built; the warnings above say why")
    loaded = finish()
    if loaded:
        sys.exit("\n".join(["the site must read the same without a network:", *loaded]))
    sys.stdout.write(f"{(SITE / 'index.html').resolve()}\n")


if __name__ == "__main__":
    main()
