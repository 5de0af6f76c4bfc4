"""A type is released when something produces it. Other types may still change."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas import catalogue
from tests.schemas.kit import TYPES

SERVICES = Path(importlib.import_module("services").__path__[0])
READERS = {"views.py", "summaries.py", "queries.py", "seen.py", "reactions.py", "matching.py", "rights.py", "state.py"}
"""Files that only read events. A type that they name is not produced there."""

LOOKS_UP = {"isinstance", "issubclass", "type_of", "types_of"}
"""Calls that make no value of the classes that they name."""


def _mentioned(node: ast.AST) -> Iterator[str]:
    """Names of which the code may make a value, not names that it compares with, annotates with or looks up."""
    match node:
        case ast.MatchClass() | ast.Import() | ast.ImportFrom():
            return
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in LOOKS_UP:
            return
        case ast.AnnAssign(value=value):
            if value is not None:
                yield from _mentioned(value)
            return
        case ast.arg():
            return
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            for inner in node.body:
                yield from _mentioned(inner)
            return
        case ast.Name(id=name) | ast.Attribute(attr=name):
            yield name
    for inner in ast.iter_child_nodes(node):
        yield from _mentioned(inner)


@pytest.fixture(scope="module")
def produced() -> set[str]:
    """The names of classes of which a service makes a value."""
    files = [file for file in SERVICES.rglob("*.py") if file.name not in READERS]
    return {name for file in files for name in _mentioned(ast.parse(file.read_text()))}


@pytest.mark.parametrize("type_", TYPES)
def test_a_type_is_released_when_something_produces_it(type_: str, produced: set[str]) -> None:
    model = catalogue.model_of(type_)
    assert model is not None
    if catalogue.is_planned(type_):
        assert model.__name__ not in produced, f"{type_} is produced: take `planned=True` away and generate"
    else:
        assert model.__name__ in produced, f"nothing produces {type_}: it is `planned=True` until something does"


def test_a_class_that_is_only_read_counts_as_not_produced() -> None:
    code = """
        def evolve(state, event: Paused) -> Paused:
            match event.data:
                case Paused():
                    return state
            known: type[Stopped] = Begun
            return isinstance(event, Halted) or type_of(Slowed) or types_of(Held) or Ended(at=now)
        """
    assert set(_mentioned(ast.parse(inspect.cleandoc(code)))) >= {"Begun", "Ended"}
    assert {"Paused", "Stopped", "Halted", "Slowed", "Held"}.isdisjoint(_mentioned(ast.parse(inspect.cleandoc(code))))
