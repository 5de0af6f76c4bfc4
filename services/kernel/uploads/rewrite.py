"""A separate program that writes a PDF anew: `rewrite.py PAGES TEXTS <document >new`.

What the pages show stays: text, pictures, links, structure. Everything else is gone: author, times, programs, older
versions, comments, scripts, actions, embedded files, data of cameras in pictures. The file descriptor TEXTS gets JSON:
`pages` are the texts of the pages, `beside` is what readers are told beside them. The program imports nothing of the
project, knows no secret, and ends with 0 or with one of the codes below.
"""

import io
import json
import os
import re
import resource
import sys
import unicodedata
from typing import IO, Any

from pypdf import PdfReader, PdfWriter, overwrite_configuration
from pypdf.generic import (
    ArrayObject,
    ByteStringObject,
    DictionaryObject,
    EncodedStreamObject,
    NameObject,
    StreamObject,
    TextStringObject,
)

DAMAGED, TOO_LARGE, TOO_COSTLY, NOT_TAKEN = 10, 11, 12, 13
LIMITS = {
    resource.RLIMIT_AS: 1_500_000_000,
    resource.RLIMIT_CPU: 90,
    resource.RLIMIT_FSIZE: 200_000_000,
    resource.RLIMIT_CORE: 0,
}
"""The most bytes of memory, seconds of a processor, and bytes of output."""
OF_DOCUMENT = frozenset(("/Type", "/Pages", "/Lang", "/MarkInfo", "/StructTreeRoot", "/PageLabels", "/Outlines"))
"""What is kept of a document beside its pages. Neither actions at its opening, nor names of scripts and files. Layers
cannot be switched off any more: whoever approves sees all that is there."""
OF_PAGE = frozenset(
    (
        *("/Type", "/Parent", "/Resources", "/MediaBox", "/CropBox", "/BleedBox", "/TrimBox", "/ArtBox", "/Contents"),
        *("/Rotate", "/Group", "/StructParents", "/Tabs", "/Annots", "/UserUnit"),
    )
)
"""What is kept of a page."""
NOT_SHOWN = (
    *("/Metadata", "/PieceInfo", "/LastModified", "/Thumb", "/AA"),
    *("/AF", "/SpiderInfo", "/JS", "/OpenAction", "/OPI", "/Alternates", "/OC"),
)
"""Entries of any object that no reader of the page sees."""
OF_LINK = frozenset(
    ("/Type", "/Subtype", "/Rect", "/Border", "/C", "/H", "/BS", "/QuadPoints", "/Dest", "/A", "/StructParent")
)
TOLD = frozenset(("/Title", "/Alt", "/ActualText", "/E", "/T", "/Name", "/P", "/URI"))
"""Entries whose words readers see or hear beside a page: headings of the outline, descriptions of pictures, labels of
pages, addresses of links."""
LONGEST = 100_000
"""So many characters a page may hold. The service searches them, and nothing else runs in it meanwhile."""
JPEG = ("/DCTDecode", "/DCT")
BESIDE = frozenset((*range(0xE0, 0xEE), 0xEF, 0xFE))
"""Segments of a JPEG that hold data on it: thumbnails, EXIF, XMP, profiles, comments. Colours are the document's. Only
Adobe's segment (EE) says how it looks."""
READ_AS = {
    f"/{ours}-{way}": NameObject(f"/{known}-{way}")
    for ours, known in (("GBKp-EUC", "GBK-EUC"), ("B5pc", "ETen-B5"), ("HKscs-B5", "ETen-B5"))
    for way in "HV"
}
"""Chinese encodings that pypdf does not know, and the one that names the same characters."""
READ = re.compile("/(GB-EUC|GBpc-EUC|GBK-EUC|GBK2K|ETen-B5|ETenms-B5|90ms-RKSJ|Uni[A-Za-z0-9]+-(UCS2|UTF16))-[HV]")
"""The encodings that pypdf knows, of those that name characters."""
UNREAD = 7
"""A page with so many characters in a row that have no names is not read. No personal number is shorter. A symbol that
begins each line does no harm."""


def main() -> None:
    """The program."""
    for limit, most in LIMITS.items():
        resource.setrlimit(limit, (most, most))
    sys.setrecursionlimit(3_000)
    # Past this number, pypdf leaves out the rest of a page and says nothing. Time is limited above.
    overwrite_configuration(xform_maximum_invocations_per_extraction=sys.maxsize)
    try:
        sys.exit(rewrite(sys.stdin.buffer, sys.stdout.buffer, int(sys.argv[1]), int(sys.argv[2])))
    except MemoryError:
        sys.exit(TOO_COSTLY)
    except Exception as error:  # noqa: BLE001  a reader of PDF raises whatever it likes
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(DAMAGED)


def rewrite(source: IO[bytes], target: IO[bytes], pages: int, texts: int) -> int:
    """Reads a file that can be rewound. Raises the errors of the reader."""
    source.seek(0)
    reader = PdfReader(source)
    if reader.is_encrypted and not reader.decrypt(""):
        return _not_taken("locked")
    if refused := _refused(reader):
        return _not_taken(refused)
    if (count := len(reader.pages)) > pages:
        print(count, file=sys.stderr)
        return TOO_LARGE
    if count == 0:
        return DAMAGED
    writer = PdfWriter(clone_from=reader)
    root = writer.root_object
    for name in [name for name in root if name not in OF_DOCUMENT]:
        del root[name]
    links, shown = set[int](), set[int]()
    for page in writer.pages:
        links.update(map(id, _keep_links(page)))
        shown.add(id(page))
    for one in list(writer._objects):  # noqa: SLF001  the only way to every object
        if isinstance(one, DictionaryObject) and "/Page" in _listed(one, "/Type") and id(one) not in shown:
            one.clear()  # an earlier page, to which an outline or a tag still leads
        _keep_shown(one, links)
    reached = _reached(writer)
    beside = [words for one in reached._objects for words in _told(one)]  # noqa: SLF001
    reached.write(target)
    for one in reached._objects:  # noqa: SLF001  only for the reading: the document is written
        _name_encoding(one)
    read = []
    for number, page in enumerate(reached.pages, 1):
        reading = _Reading()
        text = page.extract_text(visitor_text=reading.see, visitor_operand_before=reading.hear)
        if reading.unread >= UNREAD:
            return _not_taken(f"unread {number}")
        read.append("\n".join((text, *reading.told)))
    if any(len(words) > LONGEST for words in (*read, *beside)):
        return TOO_COSTLY
    with os.fdopen(texts, "w", encoding="utf-8", errors="replace") as out:
        json.dump({"pages": read, "beside": beside}, out)
    return 0


class _Reading:
    """What the reading of a page brings besides its text."""

    def __init__(self) -> None:
        self.told = list[str]()
        """What is read aloud or copied in place of what is shown."""
        self.unread = self._row = 0
        """The most characters in a row that have no names."""

    def see(self, text: str, _cm: Any, _tm: Any, font: DictionaryObject | None, _size: Any) -> None:
        """A run of text in one font."""
        nameless = _is_nameless(font)
        for name in _glyphs(font) if "/" in text else ():
            text = text.replace(name, "\ufffd")
        for char in text:
            if char in " \n\t\r\u3000":
                continue
            self._row = self._row + 1 if nameless or char == "\ufffd" or unicodedata.category(char) == "Cc" else 0
            self.unread = max(self.unread, self._row)

    def hear(self, operator: bytes, operands: Any, _cm: Any, _tm: Any) -> None:
        if operator == b"BDC" and len(operands) > 1:
            self.told += _told(operands[1])


def _name_encoding(one: Any) -> None:
    """Gives each font of an object the encoding as which it can be read."""
    if isinstance(one, DictionaryObject) and (known := READ_AS.get(_encoding(one))):
        one[NameObject("/Encoding")] = known
    if isinstance(one, DictionaryObject | ArrayObject):
        for inner in one.values() if isinstance(one, DictionaryObject) else one:
            if isinstance(inner, DictionaryObject | ArrayObject):
                _name_encoding(inner)


def _encoding(font: DictionaryObject) -> str:
    named = font.get("/Encoding")
    return named if isinstance(named, NameObject) else ""


def _is_nameless(font: DictionaryObject | None) -> bool:
    """Whether a font of many characters has only their numbers, not what they are."""
    if font is None or font.get("/Subtype") != "/Type0" or "/ToUnicode" in font:
        return False
    return READ.fullmatch(_encoding(font)) is None


def _glyphs(font: DictionaryObject | None) -> list[str]:
    """The names that a font gives to its glyphs, the longest first. pypdf writes those that it does not know."""
    encoding = font.get("/Encoding") if font is not None else None
    if not isinstance(encoding, DictionaryObject):
        return []
    names = {str(one) for one in encoding.get("/Differences", ()) if isinstance(one, NameObject)}
    return sorted(names, key=len, reverse=True)


def _reached(writer: PdfWriter) -> PdfWriter:
    """What the document leads to. What was taken out of it is not only out of reach, but gone."""
    whole = io.BytesIO()
    writer.metadata = None
    writer.write(whole)
    found = PdfWriter(clone_from=PdfReader(whole))
    found.metadata = None
    found.compress_identical_objects()
    return found


def _not_taken(why: str) -> int:
    print(why, file=sys.stderr)
    return NOT_TAKEN


def _refused(reader: PdfReader) -> str:
    """Why this document cannot be written anew as it is: its fields, or its signature; empty if it can."""
    fields = reader.get_fields() or {}
    if any(field.get("/FT") == "/Sig" and field.get("/V") is not None for field in fields.values()):
        return "signed"
    return "form" if fields else ""


def _keep_links(page: DictionaryObject) -> list[DictionaryObject]:
    """Leaves of what lies over a page only the links, without who made them and when. Comments are gone."""
    for name in [name for name in page if name not in OF_PAGE]:
        del page[name]
    kept, links = ArrayObject(), list[DictionaryObject]()
    for one in page.get("/Annots", ArrayObject()):
        note = one.get_object()
        if not isinstance(note, DictionaryObject) or note.get("/Subtype") != "/Link":
            continue
        if "/A" in note and not _leads(note["/A"]):
            continue
        for name in [name for name in note if name not in OF_LINK]:
            del note[name]
        kept.append(one)
        links.append(note)
    page[NameObject("/Annots")] = kept
    return links


def _leads(action: Any) -> bool:
    """Whether an action only opens a place: in this document, or on the web."""
    if not isinstance(action, DictionaryObject):
        return False
    action.pop("/Next", None)
    if action.get("/S") == "/GoTo":
        return True
    return action.get("/S") == "/URI" and str(action.get("/URI", "")).lower().startswith(("https://", "http://"))


def _keep_shown(one: Any, links: set[int]) -> None:
    """Takes out of an object what no reader sees, also within. A tag may still lead to a comment that is gone from its
    page, so it leads to `links` alone.
    """
    if isinstance(one, DictionaryObject):
        for name in NOT_SHOWN:
            one.pop(name, None)
        if "/A" in one and not _leads(one["/A"]):
            del one["/A"]
        if "/Obj" in one and id(one["/Obj"]) not in links:
            del one["/Obj"]
        if isinstance(one, StreamObject):
            _keep_picture(one)
    if isinstance(one, DictionaryObject | ArrayObject):
        for inner in one.values() if isinstance(one, DictionaryObject) else one:
            if isinstance(inner, DictionaryObject | ArrayObject):
                _keep_shown(inner, links)


def _keep_picture(one: StreamObject) -> None:
    """Leaves of a JPEG only how it looks, also if the document packed it once more."""
    *before, last = _listed(one, "/Filter") or [None]
    if last not in JPEG:
        return
    if before:
        packed, given = EncodedStreamObject(), _listed(one, "/DecodeParms")
        packed._data = one._data  # noqa: SLF001  the bytes as they stand in the file
        packed[NameObject("/Filter")] = ArrayObject(before)
        if given:
            packed[NameObject("/DecodeParms")] = ArrayObject(given[:-1])
            one[NameObject("/DecodeParms")] = given[-1]
        one._data = packed.get_data()  # noqa: SLF001
    one[NameObject("/Filter")] = NameObject("/DCTDecode")
    one._data = without_data(one._data)  # noqa: SLF001


def _listed(one: DictionaryObject, name: str) -> list[Any]:
    """What an entry holds, which is one thing or a list, here or elsewhere in the document."""
    if name not in one:
        return []
    found = one[name]
    return [each.get_object() for each in found] if isinstance(found, ArrayObject) else [found]


def _told(one: Any) -> list[str]:
    """The words of an object, also within, that readers are told beside the page."""
    inner = one.values() if isinstance(one, DictionaryObject) else one if isinstance(one, ArrayObject) else ()
    found = [words for each in inner for words in _told(each)]
    if isinstance(one, DictionaryObject):
        said = (one[name] for name in TOLD & one.keys())
        found += [
            _decoded(words) if isinstance(words, bytes) else words
            for words in said
            if isinstance(words, TextStringObject | ByteStringObject)
        ]
    return found


def _decoded(words: bytes) -> str:
    return words.decode("utf-16" if words.startswith((b"\xfe\xff", b"\xff\xfe")) else "utf-8", "replace")


def without_data(picture: bytes) -> bytes:
    """A JPEG without the segments that hold data on it, and what follows it. What is no JPEG stays as it is."""
    if picture[:2] != b"\xff\xd8":
        return picture
    kept, at = [picture[:2]], 2
    while picture[at : at + 1] == b"\xff" and at + 4 <= len(picture):
        code = picture[at + 1]
        if code in (0xDA, 0xD9):
            break
        following = at + 2 + int.from_bytes(picture[at + 2 : at + 4], "big")
        if code not in BESIDE:
            kept.append(picture[at:following])
        at = following
    end = picture.find(b"\xff\xd9", at)  # pixels never look like the mark of the end
    return b"".join((*kept, picture[at : end + 2 if end >= 0 else None]))


if __name__ == "__main__":
    main()
