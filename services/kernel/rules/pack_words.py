"""What packs say, in the language of the reader.

A pack has its titles in Chinese and its reasons in English. `words.yaml` beside the packs has the other language of
each. A text that does not stand there is shown as the pack has it.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from schemas.titles import TITLES as TITLED
from schemas.titles import Language
from services.kernel.rules.clauses import lines
from services.kernel.rules.documents import read_file

FILE = "words.yaml"
TITLES = ("title", "title_zh", "office_does", "office_does_zh")
"""The fields of a pack that are in Chinese."""
_GETS = dict(TITLED.values())


class PackWords(BaseModel):
    """The file: Chinese titles -> English, and English reasons -> Chinese."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    titles: dict[str, str]
    reasons: dict[str, str]


@functools.lru_cache(maxsize=8)
def words(folder: Path) -> PackWords:
    """The words of a policy folder; none without the file. Raises `DocumentError` for a wrong one."""
    path = folder / FILE
    return read_file(path).model(PackWords) if path.exists() else PackWords(titles={}, reasons={})


def in_language(said: Any, language: Language, known: PackWords) -> Any:
    """A part of a pack with its titles and reasons in a language, and lines of documents in words."""
    match said:
        case Mapping():
            return {name: _field(name, one, language, known) for name, one in said.items()}
        case list() | tuple():
            return [in_language(one, language, known) for one in said]
    return said


def _field(name: str, said: Any, language: Language, known: PackWords) -> Any:
    if not isinstance(said, str):
        return in_language(said, language, known)
    if name in TITLES:
        return _title(said, known) if language == "en" else said
    if name == "reason":
        return lines(known.reasons.get(said, said) if language == "zh" else said, language)
    return lines(said, language) if name == "clause" else said


def _title(said: str, known: PackWords) -> str:
    # Hops of one report have its title, and who gets it in brackets.
    title, _, to = said.removesuffix("）").partition("（")
    if said not in known.titles and title in known.titles and to in _GETS:
        return f"{known.titles[title]} ({_GETS[to]})"
    return known.titles.get(said, said)
