"""Every message that ends a command, with what to do: from the code, and from the advice in docs/errors.yaml.

``python docs/site/messages.py`` adds messages that docs/errors.yaml does not know yet, without advice, and takes out
those that are gone.
"""

import ast
import difflib
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
ADVICE = ROOT / "docs" / "errors.yaml"
SETUP = ROOT / "workflow" / "scripts" / "setup.sh"
HEAD = """\
# What ends a command, by the module that says it, and what else to say about it. null: the message says it all.
# `python docs/site/messages.py` adds new messages and takes out old ones; a test compares this file with the code.
"""
Messages = dict[str, dict[str, str | None]]
"""Module below digit -> message with ``…`` for what changes from case to case -> advice."""

TOPICS = {
    "Setting up": ("setup",),
    "The command line and the configuration": ("cli", "config", "stages.settings"),
    "Files, disks, processes": ("run",),
    "Downloading and the archive": ("download", "archive", "stages.download"),
    "The data set": ("release", "samples", "stages.check", "stages.index"),
    "Images, masks and their stores": ("store", "parts", "render", "stages.images", "stages.parts", "stages.sheet"),
    "Hand models": ("hand",),
    "The synthetic data set": ("synthetic", "stages.synthesize"),
    "The original's files": ("original", "stages.export_data"),
    "Networks and weights": ("model", "stages.export_network"),
    "Training": ("training", "stages.train"),
    "Evaluation and report": ("metrics", "scoring", "report", "planning", "stages.evaluate", "stages.report"),
    "Your own pictures": (
        "cli_pictures",
        "predictor",
        "detector",
        "mesh",
        "gallery",
        "pages",
        "web",
        "figures",
        "stages.predict",
        "stages.serve",
    ),
}
"""Heading on the page: modules below digit, longest name first."""


def find(package: Path = ROOT / "digit", setup: Path = SETUP) -> dict[str, list[str]]:
    """Messages of each module, in the order of the code; those that only pass other words on are left out."""
    said = [text for _, text in re.findall(r"""fail (['"])(.+)\1""", setup.read_text()) if text != "$1"]
    found = {"setup": [re.sub(r"\$\{[^}]*\}|\$\w+", "…", text) for text in said]}
    for path in sorted(package.rglob("*.py")):
        module = ".".join(path.relative_to(package).with_suffix("").parts).removesuffix(".__init__")
        texts = [text for text in _templates(ast.parse(path.read_text())) if re.search(r"[a-z]{2}", text)]
        if texts:
            found[module] = list(dict.fromkeys(texts))
    return found


def _templates(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "UserError" and node.args:
            yield re.sub(r"\s+", " ", template(node.args[0])).strip()


def template(node: ast.expr) -> str:
    """The text of an expression, ``…`` where it is not known before the program runs."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(map(template, values))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return template(left) + template(right)
        case _:
            return "…"


def read() -> Messages:
    """The advice as it is written down."""
    return yaml.safe_load(ADVICE.read_text())


def updated(known: Messages, found: dict[str, list[str]] | None = None) -> Messages:
    """The messages that the code has now, with the advice that is known for them, or for one that was reworded."""
    found = find() if found is None else found
    gone = {t: a for module, texts in known.items() for t, a in texts.items() if a and t not in found.get(module, ())}

    def advice(module: str, text: str) -> str | None:
        before = difflib.get_close_matches(text, gone, n=1, cutoff=0.85)
        own = known.get(module, {})
        return own[text] if text in own else gone[before[0]] if before else None

    return {module: {text: advice(module, text) for text in texts} for module, texts in found.items()}


def page() -> str:
    """Markdown: for each topic the messages with advice, then those that need none."""
    known = updated(read())
    return "\n\n".join(_topic(title, {m: known[m] for m in known if _of(m) == title}) for title in TOPICS)


def _of(module: str) -> str:
    """The topic of a module, by the longest name that it begins with.

    Raises:
        KeyError: when no topic has it.
    """
    names = {name: title for title, modules in TOPICS.items() for name in modules}
    parts = module.split(".")
    known = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return names[next(name for name in known if name in names)]


def _topic(title: str, modules: Messages) -> str:
    told = [(text, advice) for texts in modules.values() for text, advice in texts.items()]
    answers = [f"`{_shown(text)}`\n\n:   {advice.strip()}" for text, advice in told if advice]
    plain = [f"    - `{_shown(text)}`" for text, advice in told if not advice]
    rest = f'??? note "{len(plain)} more, which say what to do themselves"\n\n' + "\n".join(plain) if plain else ""
    return "\n\n".join(part for part in (f"## {title}", *answers, rest) if part)


def _shown(text: str) -> str:
    return text.replace("`", "'")


if __name__ == "__main__":
    ADVICE.write_text(HEAD + yaml.safe_dump(updated(read()), sort_keys=False, width=120, allow_unicode=True))
