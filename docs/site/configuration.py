"""The reference of the configuration, from the dataclasses in digit/config/settings.py and the presets."""

from collections.abc import Iterator
from typing import Any

from digit.config import Config, schema
from digit.config.presets import PRESETS

BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "above {}",
    "exclusiveMaximum": "below {}",
    "multipleOf": "a multiple of {}",
    "minItems": "at least {} of them",
    "uniqueItems": "no two equal",
    "pattern": "matching `{}`",
}
SHORT_PRESETS = tuple(name for name in PRESETS if PRESETS[name])
"""Presets that change something; the others are the defaults."""


def configuration() -> str:
    """Markdown: a section for each section of the configuration, a row for each key."""
    sections = schema.of(Config)["properties"]
    return "\n\n".join(_section(name, section) for name, section in sections.items())


def _section(name: str, section: dict[str, Any]) -> str:
    head = f"## {name}\n\n{section['description']}"
    if name != "experiments":
        return f"{head}\n\n{_table(name, section['properties'])}"
    parts = [head]
    keys = section["additionalProperties"]["properties"]
    own = {key: value for key, value in keys.items() if "properties" not in value}
    parts.append(_table("experiments.NAME", own))
    for key, value in keys.items():
        if "properties" in value:
            title = f"### experiments.NAME.{key}\n\n{value['description']}"
            parts.append(f"{title}\n\n{_table(f'experiments.NAME.{key}', value['properties'], preset=key)}")
    return "\n\n".join(parts)


def _table(prefix: str, keys: dict[str, Any], preset: str | None = None) -> str:
    columns = ["key", "value", "default", *(f"preset {name}" for name in SHORT_PRESETS if preset), "what it says"]
    rows = [columns, ["---"] * len(columns)]
    for key, entry in keys.items():
        changed = [_told(PRESETS[name].get(preset, {}), key) for name in SHORT_PRESETS if preset]
        name = f'`{key}`{{ #{f"{prefix}.{key}".replace(".", "-").lower()} title="{prefix}.{key}" }}'
        rows.append(
            [name, ", ".join(_value(entry)), _written(entry.get("default")), *changed, _plain(entry["description"])]
        )
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows)


def _plain(text: str) -> str:
    """Text in which Markdown sees no tags."""
    return text.replace("<", "&lt;")


def _told(changes: dict[str, Any], key: str) -> str:
    return _written(changes[key]) if key in changes else ""


def _value(entry: dict[str, Any]) -> Iterator[str]:
    """Type and bounds of a key, in words."""
    if "enum" in entry:
        yield " or ".join(f"`{_written_plain(value)}`" for value in entry["enum"])
    else:
        kinds = entry["type"] if isinstance(entry["type"], list) else [entry["type"]]
        inside = entry.get("items", {})
        of = f" of {inside.get('type', 'value')}s" if "array" in kinds and "enum" not in inside else ""
        chosen = " of " + ", ".join(f"`{value}`" for value in inside["enum"]) if "enum" in inside else ""
        yield " or ".join({"array": f"list{of}{chosen}", "boolean": "true or false"}.get(kind, kind) for kind in kinds)
    if entry.get("minItems") and entry.get("minItems") == entry.get("maxItems"):
        yield f"{entry['minItems']} of them"
        return
    for bound, words in BOUNDS.items():
        if bound in entry and not (bound == "minimum" and entry[bound] == 0 and "exclusiveMinimum" in entry):
            yield words.format(entry[bound])


def _written(value: Any) -> str:
    return f"`{_written_plain(value)}`"


def _written_plain(value: Any) -> str:
    """A value as it stands in YAML."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(_written_plain(item) for item in value)}]"
    return str(value)
