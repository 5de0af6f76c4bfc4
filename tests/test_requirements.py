"""`make requirements` shows for every requirement which tests carry it."""

import subprocess
import sys

from tests.kit.requirements_report import REQUIREMENTS


def test_every_requirement_is_listed_with_its_tests() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.kit.requirements_report", "tests/test_registered.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    ids = [line.split("\t")[0] for line in REQUIREMENTS.read_text().splitlines()]
    assert [line.split("  ")[0] for line in done.stdout.splitlines() if line[:1].isupper()] == ids
    of_one = done.stdout.partition("\nING-07  ")[2].splitlines()
    assert of_one[1].startswith("    tests/test_registered.py::"), of_one[:2]
