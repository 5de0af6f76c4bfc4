"""`python -m schemas.generate [--check]`. The exit code is 1 if something differs or was refused."""

import sys

from schemas.generate import differences, write

arguments = sys.argv[1:]
if arguments not in ([], ["--check"]):
    sys.exit("usage: python -m schemas.generate [--check]")
problems = differences() if arguments else write()
if problems:
    advice = (
        "run: make generate" if arguments else "a released version can only gain optional fields; add a new version"
    )
    sys.exit("\n".join((*problems, advice)))
