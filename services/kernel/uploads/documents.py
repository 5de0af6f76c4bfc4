"""Documents (PDF) are written anew (`rewrite`), or drawn page by page (`paginate`), by programs of their own.

Both keep only what pages show. Written anew, texts stay texts, also below something else. Drawn, nothing is below.
"""

import contextlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, NamedTuple

from services.kernel.core.problems import Malformed, TooLarge
from services.kernel.uploads import apart
from services.kernel.uploads.pictures import Box, outside

TYPE = "application/pdf"


class Document(NamedTuple):
    """A document that was written anew, to be read from the start, and the text of each of its pages. `beside` are the
    words of its outline and of its descriptions for those who cannot see.
    """

    file: IO[bytes]
    pages: list[str]
    beside: list[str]


class Drawn(NamedTuple):
    """A document of pictures, or one of them, to be read from the start, and the number of all pages."""

    file: IO[bytes]
    pages: int


@contextlib.contextmanager
def rewritten(file: IO[bytes], pages: int) -> Iterator[Document]:
    """The document, written anew. It blocks: use `apart.THREADS`.

    Raises `Malformed` if it is damaged, locked, signed, a form, or has text that no machine reads. Raises `TooLarge`
    if it has more than `pages` pages or takes too much time or memory.
    """
    with tempfile.TemporaryFile() as new, tempfile.TemporaryFile() as texts:
        code, says = apart.run("rewrite.py", (str(pages), str(texts.fileno())), file, new, (texts.fileno(),))
        _must_be_taken(code, says, pages)
        texts.seek(0)
        new.seek(0)
        yield Document(new, **json.load(texts))


@contextlib.contextmanager
def drawn(file: IO[bytes], pages: int, boxes: Iterable[tuple[int, Box]] = (), only: int = 0) -> Iterator[Drawn]:
    """The document, each page as a picture, with black over the boxes of a page, from 1. It blocks: see `apart`.

    With `only`, that page alone, as JPEG. Raises `Malformed` if it is damaged or locked, or if a box goes beyond its
    page. Raises `TooLarge` as `rewritten` does.
    """
    with tempfile.TemporaryFile() as new:
        told = [f"{page}:{str(box).removesuffix('px')}" for page, box in boxes]
        code, says = apart.run("paginate.py", (str(pages), str(only), *told), file, new)
        *_, says = says.splitlines() or [""]
        if code == apart.OUTSIDE:
            raise _outside(says)
        _must_be_taken(code, says, pages)
        new.seek(0)
        yield Drawn(new, int(says))


def _outside(says: str) -> Malformed:
    what, *rest = says.split()
    numbers = list(map(int, rest))
    if what == "box":
        number, page, width, height = numbers
        return outside(number, width, height, f"page {page}")
    return Malformed(
        f"the document has {numbers[1]} pages; name one of them, from 1",
        code="redaction-page",
        field=f"redactions.{numbers[0] - 1}.page" if numbers[0] else "page",
        count=numbers[1],
    )


def _must_be_taken(code: int, says: str, pages: int) -> None:
    *_, says = says.splitlines() or [""]  # warnings of the reader stand before
    if code == apart.TOO_LARGE:
        raise TooLarge(
            f"the document has {says} pages; at most {pages} are allowed. Send it in parts",
            code="document-too-large",
            limit=pages,
        )
    if code == apart.TOO_COSTLY:
        raise TooLarge(
            "the document takes too much time or memory; send a simpler one", code="document-too-large", limit=pages
        )
    if code == apart.NOT_TAKEN:
        raise _not_taken(says)
    if code:
        raise Malformed("the PDF breaks off or is damaged; send it again, whole", code="document-damaged")


def _not_taken(why: str) -> Malformed:
    match why.split():
        case ["unread", number]:
            return Malformed(
                f"the characters of page {number} have no names, so neither a program that looks for personal numbers "
                "nor one that reads aloud can read it; save the document as a PDF again, with other fonts",
                code="document-unread",
                page=int(number),
            )
        case ["locked"]:
            return Malformed("the document is locked with a password; send it without", code="document-locked")
        case ["signed"]:
            return Malformed(
                "the document has a digital signature, which would not hold any more; print it to a PDF and send that",
                code="document-signed",
            )
        case _:
            return Malformed(
                "the document has fields to fill in; print it to a PDF and send that", code="document-form"
            )
