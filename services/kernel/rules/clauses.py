"""Where a rule stands in its document, for people. Pure."""

import re

from schemas.titles import Language

_LINE = re.compile(r"\bL(\d+(?:-L?\d+)?)\b")


def lines(clause: str, language: Language) -> str:
    """`L18 三(三)` as `原文第18行 三(三)`, `L18-L20` as `原文第18-20行`."""

    def said(found: re.Match[str]) -> str:
        numbers = found[1].replace("L", "")
        if language == "zh":
            return f"原文第{numbers}行"
        return f"line{'s' * ('-' in numbers)} {numbers} of the text"

    return _LINE.sub(said, clause)
