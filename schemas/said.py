"""Sentences that are told in two languages, written where they are found."""

from typing import Literal, Self


class Said(str):
    """A sentence in English that carries the same one in Chinese."""

    __slots__ = ("zh",)
    zh: str

    def __new__(cls, en: str, zh: str) -> Self:
        made = super().__new__(cls, en)
        made.zh = zh
        return made


def said_in(sentence: str, language: Literal["zh", "en"]) -> str:
    """The sentence in a language."""
    return chinese(sentence) if language == "zh" else str(sentence)


def chinese(sentence: str) -> str:
    """The sentence in Chinese; as it is, if it was written in one language only."""
    return sentence.zh if isinstance(sentence, Said) else sentence
