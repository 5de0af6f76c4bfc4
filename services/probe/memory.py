"""What the probe remembers, in one small file: keys, the newest checkpoint, what was signed and shown, and its runs."""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from services.kernel.access import signing
from services.kernel.sealed.trust import Trust
from services.kernel.tlog import Refused
from services.kernel.tlog.note import Verifier
from services.probe.judging import Run

MOST = 500
"""Statements that are remembered: those with the latest changes."""


class Statement(BaseModel):
    """A statement as it was seen last."""

    model_config = ConfigDict(frozen=True)

    modified: str
    """The time of the last change, as it was signed."""
    digests: tuple[str, ...] = ()
    """Those of its releases."""


class Memory(BaseModel):
    """The content of the file."""

    keys: str = ""
    """The public keys of statements, a JSON Web Key Set."""
    log_keys: tuple[str, ...] = ()
    checkpoint: str = ""
    statements: dict[str, Statement] = {}
    """What was signed. What is only shown is never remembered, so nobody can make the probe forget or expect it."""
    turn: str = ""
    """The statement that was looked at last in turn."""
    runs: tuple[Run, ...] = ()

    def knows(self, statement: str) -> bool:
        """Whether something signed was seen of it."""
        return statement in self.statements or any(run.statement == statement for run in self.runs)

    def after(self, statements: Iterable[str]) -> list[str]:
        """Statements in the order in which their turn comes."""
        return sorted(statements, key=lambda one: (one <= self.turn, one))


class Unreadable(Exception):
    """The file is no memory of a probe, or another probe has it open. The sentence says what to do."""


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Keeps other probes off the file. Raises `Unreadable` while another one has it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.with_name(path.name + ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unreadable(f"another probe works with {path}; name another file with --state") from None
        yield


def read(path: Path) -> Memory:
    """The memory in a file; an empty one if there is none. Raises `Unreadable`."""
    try:
        return Memory.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Memory()
    except (ValidationError, OSError) as error:
        what = str(error).splitlines()[0]
        raise Unreadable(f"{path} is no memory of a probe ({what}); move it away to begin anew") from None


def believe(path: Path, keys: Path | None, log_keys: Sequence[str]) -> None:
    """Puts given keys in the place of those that are remembered. Raises `Unreadable` if they are none."""
    with held(path):
        memory = read(path)
        try:
            if keys is not None:
                text = keys.read_text("utf-8-sig")
                signing.believed(text, str(keys))
                memory = memory.model_copy(update={"keys": text})
            if (verifiers := tuple(map(Verifier.parse, log_keys))) and memory.checkpoint:
                Trust(verifiers).open(
                    memory.checkpoint.encode(), "the checkpoint seen last (name the earlier key, too)"
                )
        except (OSError, ValueError, Refused) as error:
            raise Unreadable(str(error)) from None
        write(path, memory.model_copy(update={"log_keys": tuple(log_keys)} if log_keys else {}))


def write(path: Path, memory: Memory) -> None:
    """Puts the memory in place of the former one. After a kill or a loss of power, one of the two is there, whole."""
    kept = sorted(memory.statements.items(), key=lambda item: item[1].modified)[-MOST:]
    text = json.dumps(memory.model_copy(update={"statements": dict(kept)}).model_dump(mode="json"), ensure_ascii=False)
    new = path.with_name(path.name + ".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
