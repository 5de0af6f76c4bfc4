"""The catalogue of the console's English: `python -m services.console.catalogue` brings it up to date.

What stands in code and templates is read anew. A translation that is there stays, what nobody says any longer goes, and
what is new stands empty until somebody writes its English. A test fails as long as anything is missing.
"""

from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from services.console.words import CATALOGUE

ROOT = Path(__file__).parent
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
KEYWORDS = {"_": None, "N_": None, "gettext": None}
OPTIONS = {"templates/**.html": {"trimmed": "true", "silent": "false", "trim_blocks": "true", "lstrip_blocks": "true"}}


def extracted() -> dict[str, list[str]]:
    """Every text that is marked, with the files that say it. Raises for a template with a fault."""
    found: dict[str, set[str]] = {}
    for file, _, text, _, _ in extract_from_dir(ROOT, METHODS, OPTIONS, KEYWORDS, comment_tags=()):
        assert isinstance(text, str), "a plural is written without one: 件数：3"
        found.setdefault(text, set()).add(file)
    return {text: sorted(found[text]) for text in sorted(found)}


def kept() -> dict[str, str]:
    """Each Chinese text of the catalogue as it is checked in, with its English; empty if nobody wrote it yet."""
    with CATALOGUE.open("rb") as file:
        return {str(one.id): str(one.string) for one in read_po(file, locale="en", abort_invalid=True) if one.id}


def fresh() -> bytes:
    """The catalogue as it should be: the texts of today, with the translations that are there."""
    known = kept()
    made = Catalog(locale="en")
    for text, files in extracted().items():
        made.add(text, known.get(text, ""), [(file, 0) for file in files])
    written = BytesIO()
    write_po(written, made, width=120, include_lineno=False, omit_header=True)
    head = b'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Language: en\\n"\n\n'
    return head + written.getvalue()


if __name__ == "__main__":
    CATALOGUE.write_bytes(fresh())
    print(*(text for text, english in kept().items() if not english), sep="\n")
