"""The workflow's rules, in their own words: from the files in workflow/rules/ and Snakemake's graph of them."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ORDER = (
    "settings", "download", "synthesize", "check", "index", "images", "parts", "train", "evaluate", "report",
)  # fmt: skip
"""Rules files in the order of the pipeline."""
_RULE = re.compile(r"^ *(?:rule|checkpoint) (\w+):\n((?:[ ]+.*\n|\n)+)", re.MULTILINE)
_BOX_HEIGHT, _ROW_HEIGHT, _WIDTH, _LETTER = 30, 62, 640, 8.2


@dataclass(frozen=True)
class Rule:
    """One rule as its file states it."""

    name: str
    words: str
    message: str
    shell: str
    asks: str
    """What its jobs ask for: cores, memory, minutes."""


def read_rules() -> list[Rule]:
    """All rules, in the order of the pipeline."""
    return [rule for file in ORDER for rule in _read(ROOT / "workflow" / "rules" / f"{file}.smk")]


def _read(path: Path) -> Iterator[Rule]:
    for name, body in _RULE.findall(path.read_text() + "\n"):
        words = re.search(r'"""(.*?)"""', body, re.DOTALL)
        message = re.search(r'message:\s+"(.*)"', body)
        shell = body.partition("shell:")[2]
        asked = {
            key: re.search(rf"^ +{key}[:=] ?(.+?),?$", body, re.MULTILINE) for key in ("threads", "mem_mb", "runtime")
        }
        yield Rule(
            name,
            re.sub(r"\s+", " ", words[1]).strip(),
            message[1] if message else "",
            re.sub(r'"\s*"', "", shell).strip().strip('"'),
            _asks({key: found[1] for key, found in asked.items() if found}),
        )


def _asks(asked: dict[str, str]) -> str:
    if "mem_mb" not in asked:
        return ""
    grows = "growing(" in asked["mem_mb"]
    memory, minutes = (re.sub(r"growing\((.*)\)", r"\1", asked[key]) for key in ("mem_mb", "runtime"))
    cores = asked.get("threads", "1")
    told = f"{cores} core{'' if cores == '1' else 's'}, " if cores.isdigit() else ""
    numbers = f"{told}{_product(memory)} MB, {_product(minutes)} minutes"
    return numbers + (" (twice and three times as much when it is retried)" if grows else "")


def _product(text: str) -> int:
    number = 1
    for factor in text.split("*"):
        number *= int(factor)
    return number


def paragraphs() -> str:
    """Markdown: one paragraph for each rule that works, a list of the targets that only collect."""
    rules = read_rules()
    told = []
    for rule in rules:
        if rule.shell:
            command = rule.shell.removeprefix("{params.launcher} ").replace("python -m digit", "digit")
            asks = f" Asks for {rule.asks}." if rule.asks else ""
            told.append(f"### {rule.name}\n\n{rule.words} Its message: *{_shown(rule.message)}*.{asks}")
            if command.startswith("digit"):
                told.append(f"It runs `{_shown(command)}`.")
    targets = [f"| `{rule.name}` | {rule.words} |" for rule in rules if not rule.shell]
    return "\n\n".join(told) + "\n\n### Targets\n\n| target | what it collects |\n| --- | --- |\n" + "\n".join(targets)


def _shown(text: str) -> str:
    """Wildcards as capitals, the files that the workflow writes for the stage as FILE."""
    text = re.sub(r"\{wildcards\.(\w+)\}", lambda found: found[1].upper(), text)
    return re.sub(r"\{[\w.:]+\}", "FILE", text)


def drawing() -> str:
    """Snakemake's graph of the rules as an SVG: a row for each step, only the edges that no other path implies.

    Raises:
        RuntimeError: when Snakemake cannot read the workflow.
    """
    command = [sys.executable, "-m", "snakemake", "--rulegraph", "dot", "--snakefile", str(ROOT / "Snakefile")]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if told.returncode:
        raise RuntimeError(told.stderr)
    names = dict(re.findall(r'(\d+)\[label = "(\w+)"', told.stdout))
    edges = {(names[a], names[b]) for a, b in re.findall(r"(\d+) -> (\d+)", told.stdout)}
    return draw(essential(edges))


def essential(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The edges of a graph without cycles that no longer path implies."""
    after: dict[str, set[str]] = {}
    for source, target in edges:
        after.setdefault(source, set()).add(target)

    def reaches(source: str, target: str) -> bool:
        return any(node == target or reaches(node, target) for node in after.get(source, ()))

    implied = {(a, c) for a, c in edges for b in after[a] if b != c and reaches(b, c)}
    return edges - implied


def rows(edges: set[tuple[str, str]]) -> list[list[str]]:
    """Nodes by the length of the longest path that leads to them."""
    before: dict[str, set[str]] = {node: set() for edge in edges for node in edge}
    for source, target in edges:
        before[target].add(source)

    def depth(node: str) -> int:
        return 1 + max((depth(source) for source in before[node]), default=-1)

    found: dict[int, list[str]] = {}
    for node in sorted(before):
        found.setdefault(depth(node), []).append(node)
    return [found[number] for number in sorted(found)]


def draw(edges: set[tuple[str, str]]) -> str:
    """An SVG whose boxes lead to the paragraphs of their rules; its colours are those of the page."""
    table = rows(edges)
    row_of = {name: row for row, names in enumerate(table) for name in names}
    # An edge that passes rows takes a place in each of them, so that it runs beside their boxes.
    stops = {
        edge: [edge[0], *(f"{edge}{row}" for row in range(row_of[edge[0]] + 1, row_of[edge[1]])), edge[1]]
        for edge in edges
    }
    for (source, _), path in sorted(stops.items()):
        for row, stop in enumerate(path[1:-1], start=row_of[source] + 1):
            table[row].append(stop)
    places = {
        stop: (_WIDTH * (column + 1) / (len(stops_of_row) + 1), 20 + row * _ROW_HEIGHT)
        for row, stops_of_row in enumerate(table)
        for column, stop in enumerate(stops_of_row)
    }
    height = 20 + (len(table) - 1) * _ROW_HEIGHT + _BOX_HEIGHT
    parts = [f'<svg class="graph" viewBox="0 0 {_WIDTH} {height}" role="group" aria-label="{_spoken(edges)}">']
    for _, path in sorted(stops.items()):
        parts.append(f'<path d="{_curve([places[stop] for stop in path])}"/>')
    for name, (x, y) in ((name, places[name]) for name in row_of):
        width = 20 + _LETTER * len(name)
        link = f'<a href="#{name}">' if name != "all" else "<a>"
        box = f'<rect x="{x - width / 2:.0f}" y="{y - 15:.0f}" width="{width:.0f}" height="{_BOX_HEIGHT}" rx="5"/>'
        parts.append(f'{link}{box}<text x="{x:.0f}" y="{y + 5:.0f}">{name}</text></a>')
    return "\n".join([*parts, "</svg>"])


def _curve(points: list[tuple[float, float]]) -> str:
    """A smooth line from box to box, vertical wherever it passes a row."""
    (x, y), half = points[0], _ROW_HEIGHT / 2
    told = f"M{x:.0f} {y:.0f}"
    for x1, y1 in points[1:]:
        told += f" C{x:.0f} {y + half:.0f} {x1:.0f} {y1 - half:.0f} {x1:.0f} {y1:.0f}"
        x, y = x1, y1
    return told


def _spoken(edges: set[tuple[str, str]]) -> str:
    return "Which rule needs which: " + "; ".join(f"{b} needs {a}" for a, b in sorted(edges, key=lambda e: e[1]))
