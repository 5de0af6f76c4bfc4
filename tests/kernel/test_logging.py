"""A rule for every call of the logger."""

import ast
import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.kernel.logging import OnceAMinute

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


def test_who_logs_goes_on_if_nobody_reads() -> None:
    """As when journald stops, or `| head` has seen enough."""
    program = (
        "import os, structlog, sys; from services.kernel import logging; from services.kernel.settings import Settings;"
        "logging.configure(Settings()); reads, writes = os.pipe(); os.close(reads); os.dup2(writes, 2);"
        "structlog.get_logger().warning('nobody.reads', value=1); print('went on')"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.stdout == "went on\n", ran.stderr


def test_a_library_says_the_same_once_a_minute_and_how_often(monkeypatch: pytest.MonkeyPatch) -> None:
    once, now = OnceAMinute(), 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)

    def written(name: str, text: str, *values: object) -> str | None:
        record = logging.LogRecord(name, logging.ERROR, "", 0, text, values, None)
        return record.getMessage() if once.filter(record) else None

    assert written("aiokafka", "no node %s", 1) == "no node 1"
    assert [written("aiokafka", "no node %s", number) for number in range(50)] == [None] * 50
    assert written("aiokafka", "no topic") == "no topic"
    assert written("faust", "no node %s", 1) == "no node 1"
    now += 61
    assert written("aiokafka", "no node %s", 2) == "no node 2 (50 times more in the minutes before)"
    assert written("aiokafka", "no node %s", 2) is None
    now += 61
    for number in range(3 * OnceAMinute.KEPT):
        assert written("mode", f"text {number}") is not None
    assert len(once._told) <= OnceAMinute.KEPT
