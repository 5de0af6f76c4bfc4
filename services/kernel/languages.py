"""The two languages of pages. What stands in templates and code is Chinese; a catalogue beside them has the English.

A package with pages names its catalogue once. What stands in its code and templates is read anew for `fresh`: a
translation that is there stays, what nobody says any longer goes, and what is new stands empty until somebody writes
its English.
"""

from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from babel.support import NullTranslations, Translations
from markupsafe import Markup

from schemas.titles import Language

METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
KEYWORDS = {"_": None, "N_": None, "gettext": None}
OPTIONS = {"templates/**.html": {"trimmed": "true", "silent": "false", "trim_blocks": "true", "lstrip_blocks": "true"}}
MOST_KNOWN = 5_000
"""Texts of a catalogue that are kept ready for a language."""


def N_(text: str) -> str:  # noqa: N802, the usual name for what is translated elsewhere
    """Marks a text for the catalogue."""
    return text


def is_chinese(text: str | None) -> bool:
    """Whether there is Chinese in a text."""
    return any("\u3400" <= sign <= "\u9fff" for sign in text or "")


class Catalogue:
    """The English of a package's pages. `root` is the package's folder, `name` that of the file in `locale`."""

    def __init__(self, root: Path, name: str) -> None:
        self.root, self.file = root, root / "locale" / "en" / "LC_MESSAGES" / f"{name}.po"

    def extracted(self) -> dict[str, list[str]]:
        """Every text that is marked, with the files that say it. Raises for a template with a fault."""
        found: dict[str, set[str]] = {}
        for file, _, text, _, _ in extract_from_dir(self.root, METHODS, OPTIONS, KEYWORDS, comment_tags=()):
            assert isinstance(text, str), "a plural is written without one: 件数：3"
            found.setdefault(text, set()).add(file)
        return {text: sorted(found[text]) for text in sorted(found)}

    def kept(self) -> dict[str, str]:
        """Each Chinese text of the catalogue as it is checked in, with its English; empty if nobody wrote it yet."""
        with self.file.open("rb") as file:
            return {str(one.id): str(one.string) for one in read_po(file, locale="en", abort_invalid=True) if one.id}

    def fresh(self) -> bytes:
        """The catalogue as it should be: the texts of today, with the translations that are there."""
        known = self.kept()
        made = Catalog(locale="en")
        for text, files in self.extracted().items():
            made.add(text, known.get(text, ""), [(file, 0) for file in files])
        written = BytesIO()
        write_po(written, made, width=120, include_lineno=False, omit_header=True)
        head = b'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Language: en\\n"\n\n'
        return head + written.getvalue()

    def renew(self) -> list[str]:
        """Writes the catalogue as it should be. Returns the texts without English."""
        self.file.write_bytes(self.fresh())
        return [text for text, english in self.kept().items() if not english]

    def translations(self, language: Language) -> NullTranslations:
        """The texts in a language. Chinese needs no catalogue."""
        return _translations(self.file, language)


@lru_cache
def _translations(file: Path, language: Language) -> NullTranslations:
    if language == "zh":
        return NullTranslations()
    compiled = BytesIO()
    with file.open("rb") as opened:
        write_mo(compiled, read_po(opened, locale="en"))
    compiled.seek(0)
    return Translations(compiled)


def said(translations: NullTranslations) -> Callable[..., Markup]:
    """The texts of a catalogue for templates, as Jinja's own function gives them.

    That one asks for a text anew each time. A list of a hundred matters has a thousand texts, most of them the same.
    """
    gettext, known = translations.gettext, dict[str, Markup]()

    def told(text: str, /, **values: Any) -> Markup:
        if values:
            return Markup(gettext(text)) % values  # noqa: S704, the catalogue is ours
        if text not in known:
            if len(known) > MOST_KNOWN:
                known.clear()
            known[text] = Markup(gettext(text)) % values  # noqa: S704
        return known[text]

    return told
