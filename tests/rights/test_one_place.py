"""Who may read and act is decided in the tables of rights, and nowhere beside them."""

import ast
from pathlib import Path

import pytest

from services.kernel.settings import ROOT

SERVICES = ("ingest", "triage", "escalation", "publish", "audit")
TABLES = (
    "services/kernel/access/rights.py",
    *(f"services/{name}/rights.py" for name in SERVICES),
    "services/audit/drills/rights.py",
    "services/audit/findings/rights.py",
    "services/audit/inspections/rights.py",
    "services/audit/referrals/rights.py",
    "services/audit/review/rights.py",
    "services/audit/trainings/rights.py",
    "services/publish/delivering/rights.py",
    "services/publish/press/rights.py",
)
OF_A_TREE = ("overseen", "listed")
"""What the tree of units says of a reader's units. Only a table of rights knows which role a reader needs besides."""
REFUSALS = {
    "services/escalation/clock/leads.py": "the right of the post that leads, a kind of row",
    "services/publish/checking/check.py": "the posts that a pack names for one check of a text",
    "services/publish/press/speakers.py": "the right of the posts that speak on a matter, a kind of row",
    "services/triage/handling/assigning.py": "for which of several helping units somebody speaks",
    "services/triage/offices/packs.py": "a value that a unit above has set",
}
"""Modules that refuse with 403 beside the tables -> what they decide."""


def modules() -> list[tuple[str, ast.Module]]:
    """The modules of the services and of the kernel."""
    files = [file for name in (*SERVICES, "kernel") for file in sorted(Path(ROOT, "services", name).rglob("*.py"))]
    return [(str(file.relative_to(ROOT)), ast.parse(file.read_text())) for file in files]


@pytest.mark.requirement("MUL-06")
def test_queries_take_the_units_of_a_reader_from_the_tables() -> None:
    asking = {
        name
        for name, module in modules()
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute) and node.attr in OF_A_TREE and ast.unparse(node.value).endswith("offices")
    }
    assert asking == {"services/kernel/access/rights.py"}


@pytest.mark.requirement("MUL-06")
def test_who_refuses_beside_the_tables_is_known() -> None:
    refusing = {
        name
        for name, module in modules()
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Forbidden"
    }
    assert refusing - set(TABLES) == REFUSALS.keys()


@pytest.mark.requirement("MUL-06")
def test_every_row_of_a_right_stands_in_a_table() -> None:
    """Each service has the rows on erasing words and on its operation from the kernel."""
    rows = {
        name
        for name, module in modules()
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Right", "Read")
    }
    of_all = ("erasure", "operating")
    assert rows - set(TABLES) == {f"services/kernel/access/{name}.py" for name in of_all}
