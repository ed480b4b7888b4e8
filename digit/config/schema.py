"""JSON schemas of dataclasses, and what is wrong with a document that does not follow one."""

import dataclasses
import difflib
import math
import types
import typing
from typing import Any, Literal, Union

import jsonschema
import yaml


def of(kind: Any) -> dict[str, Any]:
    """JSON schema of a configuration dataclass or of a type used in one."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        properties = {}
        for item in dataclasses.fields(kind):
            entry = of(hints[item.name]) | item.metadata["bounds"]
            entry["description"] = item.metadata["description"]
            default = item.default if item.default is not dataclasses.MISSING else None
            if not dataclasses.is_dataclass(hints[item.name]) and item.default is not dataclasses.MISSING:
                entry["default"] = list(default) if isinstance(default, tuple) else default
            properties[item.name] = entry
        return {"type": "object", "additionalProperties": False, "properties": properties}
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        inner = of(next(a for a in arguments if a is not type(None)))
        return inner | {"type": [inner["type"], "null"]}
    if origin is tuple:
        return {"type": "array", "items": of(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": of(arguments[1]) | {"type": ["object", "null"]}}
    return {"type": {int: "integer", float: "number", str: "string", bool: "boolean"}[kind]}


def problems(raw: Any, schema: dict[str, Any]) -> list[str]:
    """Say what is wrong with a document: one line for each key that is misspelt, of a wrong type or out of bounds."""
    base = jsonschema.Draft202012Validator
    checker = base.TYPE_CHECKER.redefine_many(
        {
            "array": lambda _, value: isinstance(value, list | tuple),
            "number": lambda checker, value: base.TYPE_CHECKER.is_type(value, "number") and math.isfinite(value),
        }
    )
    validator = jsonschema.validators.extend(base, type_checker=checker)(schema)
    return [line for error in validator.iter_errors(raw) for line in _explain(error)]


def typed(raw: Any, schema: dict[str, Any]) -> Any:
    """Read text as the number, truth value or null that its key expects; ``raw`` stays as it is.

    YAML takes ``1e-3`` for text, and Snakemake hands everything inside ``--config data='{shards: 4}'`` over as
    text. What cannot be read is left for :func:`problems` to explain.
    """
    if isinstance(raw, dict):
        others = schema.get("additionalProperties") or {}
        return {key: typed(value, schema.get("properties", {}).get(key, others)) for key, value in raw.items()}
    if isinstance(raw, list | tuple):
        return [typed(value, schema.get("items", {})) for value in raw]
    kinds = schema.get("type", ())
    if not isinstance(raw, str) or "enum" in schema:
        return raw
    if "null" in kinds and raw == "null":
        return None
    if "string" in kinds:
        return raw
    try:
        return float(raw) if "number" in kinds else yaml.safe_load(raw)
    except (ValueError, yaml.YAMLError):
        return raw


def _explain(error: jsonschema.ValidationError) -> list[str]:
    where = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        unknown = [name for name in error.instance if name not in known]
        hints = []
        for name in unknown:
            close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
            remedy = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
            hints.append(f"{where + '.' if where else ''}{name}: unknown key; {remedy}")
        return hints
    description = error.schema.get("description")
    return [f"{where or 'top level'}: {error.message}" + (f" ({description})" if description else "")]
