"""Prints every requirement and the tests that carry its id.

python -m tests.kit.requirements_report [--built-with PIECE] [PATH ...]
"""

import argparse
import contextlib
import io
import sys
from collections import defaultdict
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[1] / "requirements.txt"
"""One requirement a line: id, service, the piece of work that builds it, text; tabs between them."""


class Collected:
    """A pytest plug-in that collects the tests that name each requirement."""

    def __init__(self) -> None:
        self.tests: dict[str, set[str]] = defaultdict(set)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            for marker in item.iter_markers("requirement"):
                for requirement in marker.args:
                    self.tests[requirement].add(item.nodeid.partition("[")[0])


def main() -> int:
    parser = argparse.ArgumentParser(description="requirements and their tests")
    parser.add_argument("--built-with", help="only the requirements of this piece of work")
    parser.add_argument("paths", nargs="*", help="only the tests in these files and folders")
    given = parser.parse_args()
    piece = given.built_with
    collected = Collected()
    with contextlib.redirect_stdout(io.StringIO()) as output:
        status = pytest.main(["--collect-only", "-q", "-m", "", *given.paths], plugins=[collected])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        print(output.getvalue(), file=sys.stderr)
        return int(status)
    bare = 0
    for line in REQUIREMENTS.read_text().splitlines():
        requirement, service, built_with, text = line.split("\t")
        if piece not in (None, built_with):
            continue
        tests = sorted(collected.tests[requirement])
        bare += not tests
        print(f"{requirement}  {service}, {built_with}: {text}")
        print("".join(f"    {test}\n" for test in tests) or "    no test yet\n", end="")
    print(f"{bare} without a test")
    return 0


if __name__ == "__main__":
    sys.exit(main())
