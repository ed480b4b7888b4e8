"""From YAML files to a resolved configuration and back, and the JSON schema of both."""

import dataclasses
import json
import typing
from pathlib import Path
from typing import Any

import yaml

from digit.config import schema
from digit.config.documents import read_document
from digit.config.paths import path_problems
from digit.config.presets import PRESETS
from digit.config.settings import Config
from digit.run.console import counted
from digit.run.errors import UserError

SCHEMA_PATH = Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.yaml"


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """``base`` with the values of ``over``, section by section; neither is changed."""
    merged = dict(base)
    for name, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = merge(merged[name], value) if both else value
    return merged


def resolve(raw: dict[str, Any], source: str = "the configuration") -> Config:
    """Validate a configuration and fill in presets and defaults.

    Raises:
        UserError: naming every key that is misspelt, of the wrong type or out of bounds.
    """
    raw = schema.typed(raw, schema.of(Config))
    problems = schema.problems(raw, schema.of(Config))
    if not problems:
        for name in raw.get("experiments") or {}:
            if not all(c.isalnum() or c in "_-" for c in name):
                problems.append(f"experiments.{name}: use letters, digits, - and _ only")
        if raw.get("data", {}).get("source") == "interhand" and not raw["data"].get("root"):
            problems.append("data.root: missing; set it to the folder that holds images/ and annotations/")
        for key in ("photos", "panoramas"):
            if raw.get("synthetic", {}).get(key) and raw["synthetic"].get("variety") != "rich":
                problems.append(f"synthetic.{key}: only variety rich shows them; set synthetic.variety to rich")
        if raw.get("data", {}).get("mask_lmdb") and not raw["data"].get("fit_cache"):
            problems.append("data.fit_cache: missing; data.mask_lmdb needs the folder with meta_dict_<split>.pkl")
        if raw.get("data", {}).get("fit_cache") and not raw["data"].get("mask_lmdb"):
            problems.append("data.mask_lmdb: missing; data.fit_cache belongs to its masks and is not used without them")
        if raw.get("data", {}).get("image_lmdb") and raw["data"].get("image_archive"):
            problems.append("data.image_archive and data.image_lmdb: both say where the images are; set one to null")
        if raw.get("data", {}).get("download") and raw["data"].get("source") != "interhand":
            problems.append("data.download: needs data.source: interhand; the embedded data set is not downloaded")
        problems += path_problems(raw)
    if problems:
        found = counted(len(problems), "problem")
        raise UserError(f"{source} cannot be used, it has {found}:\n" + "\n".join(f"  - {p}" for p in problems))
    experiments = {}
    for name, settings in (raw.get("experiments") or {}).items():
        if settings is not None:
            experiments[name] = merge(PRESETS[settings.get("preset", "paper")], settings)
    return _build(Config, raw | {"experiments": experiments})


def load_config(*paths: Path | str) -> Config:
    """Read YAML files, later ones over earlier ones, and resolve them.

    Raises:
        UserError: when a file is missing, is not YAML, or holds invalid keys.
    """
    raw: dict[str, Any] = {}
    for path in paths:
        raw = merge(raw, read_document(Path(path)))
    return resolve(raw, " + ".join(str(path) for path in paths))


def to_dict(config: Any) -> dict[str, Any]:
    """A configuration dataclass as plain dicts and lists, ready for YAML or JSON."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def _build(kind: Any, raw: dict[str, Any]) -> Any:
    hints = typing.get_type_hints(kind)
    values = {}
    for name, value in raw.items():
        hint = hints[name]
        if dataclasses.is_dataclass(hint):
            value = _build(hint, value or {})
        elif typing.get_origin(hint) is dict:
            value = {key: _build(typing.get_args(hint)[1], item) for key, item in value.items()}
        elif isinstance(value, list):
            value = tuple(value)
        elif hint in (float, float | None) and value is not None:
            value = float(value)
        values[name] = value
    return kind(**values)


def write_schema(path: Path = SCHEMA_PATH) -> None:
    """Write the JSON schema as YAML, for editors and for people."""
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "digit config.yaml"}
    path.write_text(
        "# Generated from digit/config/settings.py by `python -m digit.config`; do not edit.\n"
        + yaml.safe_dump(document | schema.of(Config), sort_keys=False, width=120)
    )
