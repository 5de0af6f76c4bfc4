"""A rule for every call of the logger."""

import ast
from pathlib import Path

SERVICES = Path(__file__).resolve().parents[2] / "services"


def test_no_value_takes_the_place_of_a_fact() -> None:
    """`event` is structlog's own argument for the fact.

    A call with `event=` fails just when it should report a fault.
    """
    wrong = [
        f"{path}:{node.lineno}"
        for path in SERVICES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if is_wrong(node)
    ]
    assert wrong == []


def is_wrong(node: ast.AST) -> bool:
    """Whether it is a call of a module's logger with `event=`."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "log"
        and any(keyword.arg == "event" for keyword in node.keywords)
    )
