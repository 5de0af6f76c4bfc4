"""Every recorded decision stands in the index of `docs/architecture.md`, with its number in its title."""

from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("decision", sorted(DOCS.glob("adr/[0-9]*.md")), ids=lambda path: path.stem)
def test_a_decision_is_in_the_index(decision: Path) -> None:
    lines = (DOCS / "architecture.md").read_text().splitlines()
    assert [line for line in lines if line.startswith("- [") and line.endswith(f"(adr/{decision.name})")]
    number = int(decision.name.partition("-")[0])
    assert decision.read_text().startswith(f"# {number}. ")
