"""Requests made from the API's own document: no answer is a defect, and each is one that the document has."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.fuzz import INPUTS
from tests.kit import stack

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
FILES = "/(imports|batch|evidence)$"
"""Takes files, which schemathesis does not make. Their parsers have tests of their own here."""
MANY = 1_000
"""With so many inputs, or more, each operation also gets odd values at each place and random requests."""
ROLES = ("duty_officer", "verifier", "handler", "approver", "chief", "spokesperson", "auditor", "admin")


@pytest.mark.timeout(7200 if INPUTS >= MANY else 300)
def test_requests_from_the_document_are_answered_as_it_says(tmp_path: Path) -> None:
    with stack.embedded(tmp_path) as world:
        world.incident(world.post("卫生院门前路灯不亮").json()["report_id"])
        phases = ("examples,coverage,fuzzing", "-n", str(INPUTS // MANY)) if INPUTS >= MANY else ("examples",)
        # The first call makes the document. Schemathesis waits ten seconds for it, a busy machine takes longer.
        assert httpx.get(f"{world.url('ingest')}/openapi.json", timeout=120).status_code == 200
        command = (
            "-m",
            "schemathesis.cli",
            "run",
            f"{world.url('ingest')}/openapi.json",
            "--checks",
            CHECKS,
            "--seed",
            "1",
        )
        more = ("--header", f"Authorization: Bearer {world.token(*ROLES, unit='city')}", "--exclude-path-regex", FILES)
        done = subprocess.run(
            [sys.executable, *command, *more, "--phases", *phases, "--continue-on-failure", "--no-color"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    print(done.stdout[-20_000:])
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
