"""Programs of this repository as separate processes, without the second that each one takes to import.

A server imports everything once. Each program is a fork of it: it takes its environment, arguments and outputs and then
runs like `python -m`. It is a process like any other. It may be frozen and killed. It ends when the process that asked
for it ends, however that process ends.
"""

import contextlib
import ctypes
import functools
import gc
import importlib
import multiprocessing
import os
import pkgutil
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from multiprocessing.context import ForkServerContext
from pathlib import Path
from types import ModuleType

PR_SET_PDEATHSIG = 1
IMPORTED_WHEN_USED = (
    "alembic.command",
    "faust.transport.drivers.aiokafka",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
)


class Program:
    """A module that runs as with `python -m`. The verbs are those of `subprocess.Popen`."""

    def __init__(
        self, module: str, *arguments: str, env: Mapping[str, str], stdout: Path, stderr: Path, cwd: Path | None = None
    ) -> None:
        self.args = (module, *arguments)
        self._process = _server().Process(
            target=_run, args=(self.args, dict(env), str(stdout), str(stderr), cwd), daemon=True
        )
        with _nameless():
            self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, the negative number of the signal that ended it, or None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end and returns the code. Raises `subprocess.TimeoutExpired`."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def run(
    module: str, *arguments: str, env: Mapping[str, str], timeout: float, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end. Its outputs are text."""
    with tempfile.TemporaryDirectory(prefix="huiying-") as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        program = Program(module, *arguments, env=env, stdout=out, stderr=err, cwd=cwd)
        try:
            code = program.wait(timeout)
        finally:
            program.kill()
        return subprocess.CompletedProcess(program.args, code, out.read_text(), err.read_text())


@functools.cache
def _server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"{__name__}_imported"])
    return context


@contextlib.contextmanager
def _nameless() -> Iterator[None]:
    """Else a fork would import the main module of the process that asks for it: pytest, or the script that runs a
    world.
    """
    main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def import_all() -> None:
    """Imports the modules of the programs and makes the routes of the services, so that forks find them."""
    import services
    from services.apps.embedded import SERVICES

    for found in pkgutil.walk_packages(services.__path__, "services."):
        if not {"__main__", "env", "versions", "cli"} & set(found.name.split(".")):
            importlib.import_module(found.name)
    for name in IMPORTED_WHEN_USED:
        importlib.import_module(name)
    for module in (module for service in SERVICES for module in service.apis):
        importlib.import_module(module).router()
    gc.collect()
    gc.freeze()


def _run(arguments: tuple[str, ...], environment: dict[str, str], stdout: str, stderr: str, cwd: Path | None) -> None:
    # The server ends when nobody holds the other ends of its pipes any more, and its forks end with it.
    os.closerange(3, 2**16)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number, path in ((1, stdout), (2, stderr)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(file, number)
        os.close(file)
    if cwd is not None:
        os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = list(arguments)
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
