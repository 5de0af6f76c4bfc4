"""Writes a service's next revision from its tables: `python -m services.kernel.migrations revision triage "Add place"`.

With `--again` the newest revision is made anew, under its old message where none is given; only for one that no
deployment has run. Read what was written: Alembic sees no renaming and moves no data.
"""

import argparse
import importlib
import subprocess
import sys
from pathlib import Path

from alembic import command
from sqlalchemy import create_engine

from services.kernel.migrations import config, migrate, revisions, versions_of


def revision(service: str, message: str) -> Path:
    """The file of the next revision: what the tables of `services.<service>.views` have beyond the earlier ones."""
    metadata = importlib.import_module(f"services.{service}.views").METADATA
    folder = versions_of(service)
    folder.mkdir(parents=True, exist_ok=True)
    known = revisions(folder)
    id_ = f"{int(known[-1]) + 1 if known else 1:04}"
    with create_engine("sqlite://").connect() as connection:
        migrate(connection, folder, metadata)
        settings = config(folder, connection, metadata)
        # SQLite changes a table by copying it, which is what Alembic calls a batch; a new one needs none.
        settings.attributes["batch"] = bool(known)
        command.revision(settings, message, autogenerate=True, rev_id=id_)
    (made,) = folder.glob(f"{id_}_*.py")
    for step in (("check", "--quiet", "--fix", "--select", "F,I"), ("format", "--quiet")):
        subprocess.run([sys.executable, "-m", "ruff", *step, str(made)], check=True)  # noqa: S603
    return made


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m services.kernel.migrations", description=__doc__)
    sub = parser.add_subparsers(required=True)
    one = sub.add_parser("revision", help="write the next revision")
    one.add_argument("service")
    one.add_argument("message", nargs="?", default="")
    one.add_argument("--again", action="store_true", help="make the newest revision anew")
    asked = parser.parse_args()
    message = asked.message
    if asked.again:
        newest = max(versions_of(asked.service).glob("[0-9]*_*.py"))
        message = message or newest.read_text().partition('"""')[2].partition('."""')[0]
        newest.unlink()
    if not message:
        parser.error("say in the message what the revision does")
    print(revision(asked.service, message))


main()
