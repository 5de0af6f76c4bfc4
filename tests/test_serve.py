"""The supervisor of a service's processes: none runs that it told to end, or that outlives it."""

import subprocess
import sys

import pytest

SUPERVISE = """
import os, signal, time
from services.apps import serve
from services.kernel.settings import Settings

settle = serve._settle
serve.import_parts = lambda *_: None
serve.main = lambda *_: (print("runs", flush=True), time.sleep(60))

def begin(*part):
    {first}

serve._settle = begin
serve.supervise("ingest", Settings(), ["consumer"])
"""
KILLED = """supervisor = os.getppid()
    os.kill(supervisor, signal.SIGKILL)
    while os.getppid() == supervisor:
        time.sleep(0.001)
    settle(*part)"""
ENDED = """settle(*part)
    os.kill(os.getppid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)"""


@pytest.mark.parametrize("first", [KILLED, ENDED], ids=["supervisor-killed", "told-to-end"])
def test_a_process_does_not_run_if_its_end_came_while_it_began(first: str) -> None:
    """A second consumer would be left behind, or the supervisor would wait for its whole patience."""
    script = SUPERVISE.format(first=first)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout == ""
