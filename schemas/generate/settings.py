"""The document of the settings, `docs/settings.md`, from the model and its docstrings."""

import ast
import importlib
import inspect
import itertools
import re
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

ROOT = Path(__file__).parents[2]
USERS = ("ingest", "triage", "escalation", "publish", "audit", "console", "probe")
"""Programs that may be the only ones to read a setting. What the kernel or the programs' own code reads is for all."""
BEGINS = """# Settings

*This file is made from `services/kernel/settings.py` by `make generate`.*

Every process reads its settings from the environment, at its start. An empty variable counts as not set. A setting may
also stand in a file of `/run/secrets` with the variable's name in small letters, such as
`/run/secrets/huiying_kafka_password`; the environment comes first. A variable that begins with `HUIYING_` and is no
setting changes nothing, and is told at the start. Without `HUIYING_DATABASE` and `HUIYING_KAFKA` the deployment is
embedded: one process, all of it in the folder `HUIYING_DATA`.

| variable | value | without it | read by | meaning |
| --- | --- | --- | --- | --- |
"""
BOUNDS = {"ge": "from {}", "gt": "above {}", "le": "to {}", "lt": "below {}"}


def document() -> bytes:
    """The whole document. Raises `ValueError` for a setting without a docstring."""
    model = importlib.import_module("services.kernel.settings").Settings
    meanings, readers = _meanings(model), _readers()
    rows = []
    for name, field in model.model_fields.items():
        if name not in meanings:
            raise ValueError(f"the setting {name} has no docstring")
        cells = (
            f"`HUIYING_{name.upper()}`",
            _value(field),
            _default(field),
            ", ".join(readers.get(name, ())) or "all",
            meanings[name],
        )
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n")
    return (BEGINS + "".join(rows)).encode()


def _meanings(model: type) -> dict[str, str]:
    """Field -> the docstring below it, as one line."""
    (body,) = (node.body for node in ast.parse(inspect.getsource(model)).body if isinstance(node, ast.ClassDef))
    found = {}
    for field, below in itertools.pairwise(body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = re.sub(r"\s+", " ", inspect.cleandoc(text))
    return found


def _readers() -> dict[str, tuple[str, ...]]:
    """Setting -> the programs that read it, if their common code does not."""
    found: dict[str, set[str]] = {}
    for file in (ROOT / "services").rglob("*.py"):
        place = file.relative_to(ROOT / "services").parts[0]
        if place != "demo":
            for name in re.findall(r"settings\.([a-z_]+)\b", file.read_text()):
                found.setdefault(name, set()).add(place)
    return {name: tuple(one for one in USERS if one in by) for name, by in found.items() if by <= set(USERS)}


def _value(field: FieldInfo) -> str:
    kind = field.annotation
    options = [one for one in get_args(kind) if one is not type(None)]
    if get_origin(kind) is Literal:
        return " or ".join(f"`{one}`" for one in options)
    kind = options[0] if options else kind
    bounds = " ".join(
        text.format(f"{getattr(one, name):,}")
        for one in field.metadata
        for name, text in BOUNDS.items()
        if isinstance(getattr(one, name, None), int | float)
    )
    named: dict[Any, str] = {
        bool: "true or false",
        int: "whole number",
        float: "number",
        Path: "path",
        SecretStr: "secret",
    }
    return f"{named.get(kind, 'duration' if kind is timedelta else 'text')} {bounds}".strip()


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if value is PydanticUndefined or value in (None, "") or isinstance(value, SecretStr):
        return "–"
    if isinstance(value, Path):
        shown = str(value.relative_to(ROOT)) if value.is_relative_to(ROOT) else str(value)
    else:
        shown = str(TypeAdapter(type(value)).dump_python(value, mode="json")).removesuffix(".0")
    return f"`{shown.lower() if isinstance(value, bool) else shown}`"
