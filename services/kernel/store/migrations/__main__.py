"""`python -m services.kernel.store.migrations revision triage "Add place"` writes the next revision from the tables.

`kernel` instead of a service writes one for the tables that every service has. `--again` makes the newest revision
anew, under its old message unless you give another. Use it only for a revision that no deployment has run. Read the
result: Alembic does not notice renamed columns and moves no data.
"""

import argparse
import importlib
import subprocess
import sys
from pathlib import Path

from alembic import command
from sqlalchemy import MetaData, create_engine

from services.kernel.store import tables
from services.kernel.store.migrations import KERNEL, config, migrate, revisions


def place(of: str) -> tuple[Path, MetaData]:
    """The folder of revisions of a service or the kernel, and the tables that they must produce."""
    if of == "kernel":
        return KERNEL, tables.metadata()
    module = "store" if of == "console" else "views"
    tables_of = importlib.import_module(f"services.{of}.{module}")
    return tables_of.REVISIONS, tables_of.METADATA


def revision(of: str, message: str) -> Path:
    """The file of the next revision: the differences between the tables and the earlier revisions."""
    folder, metadata = place(of)
    folder.mkdir(parents=True, exist_ok=True)
    known = revisions(folder)
    number = f"{int(known[-1].removeprefix('kernel_')) + 1 if known else 1:04}"
    id_ = f"kernel_{number}" if folder == KERNEL else number
    folders = [folder] if of == "console" else list(dict.fromkeys((KERNEL, folder)))
    with create_engine("sqlite://").connect() as connection:
        migrate(connection, folders, metadata)
        settings = config(folders, connection, metadata)
        settings.set_main_option("file_template", f"{number}_%%(slug)s")
        # SQLite changes a table by copying it; Alembic calls this a batch. A new table needs no batch.
        settings.attributes["batch"] = bool(known)
        head = known[-1] if known else "base"
        command.revision(settings, message, autogenerate=True, rev_id=id_, head=head, version_path=str(folder))
    (made,) = folder.glob(f"{number}_*.py")
    for step in (("check", "--quiet", "--fix", "--select", "F,I"), ("format", "--quiet")):
        subprocess.run([sys.executable, "-m", "ruff", *step, str(made)], check=True)  # noqa: S603
    return made


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m services.kernel.store.migrations", description=__doc__)
    sub = parser.add_subparsers(required=True)
    one = sub.add_parser("revision", help="write the next revision")
    one.add_argument("of", metavar="service")
    one.add_argument("message", nargs="?", default="")
    one.add_argument("--again", action="store_true", help="make the newest revision anew")
    asked = parser.parse_args()
    message = asked.message
    if asked.again:
        newest = max(place(asked.of)[0].glob("[0-9]*_*.py"))
        message = message or newest.read_text().partition('"""')[2].partition('."""')[0]
        newest.unlink()
    if not message:
        parser.error("say in the message what the revision does")
    print(revision(asked.of, message))


main()
