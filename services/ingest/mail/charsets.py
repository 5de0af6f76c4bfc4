"""The words that bytes of a mail hold, whatever charset it names. Pure."""

import re
from collections.abc import Iterator
from functools import cache

_KNOWN = {
    ("gb18030",): "gb2312 gb231280 gbk xgbk cp936 ms936 windows936 euccn xeuccn gb18030 csgb2312",
    ("hz",): "hzgb2312 hz",
    ("utf-8-sig",): "utf8 unicode11utf8",
    ("ascii",): "usascii ascii ansix341968",
    ("utf-16",): "utf16",
    ("utf-16le",): "utf16le",
    ("utf-16be",): "utf16be",
    ("utf-7",): "utf7 unicode11utf7",
    ("big5hkscs", "cp950"): "big5 xbig5 cnbig5 csbig5 big5eten big5hkscs cp950 ms950 windows950",
    ("cp932",): "shiftjis sjis xsjis mskanji cp932 ms932 windows31j csshiftjis",
    ("euc-jp",): "eucjp xeucjp",
    ("iso-2022-jp",): "iso2022jp",
    ("cp949",): "euckr ksc5601 ksc56011987 ksc56011989 cp949 ms949 windows949 uhc",
    ("iso-2022-kr",): "iso2022kr",
    ("koi8-r",): "koi8r",
    ("iso-8859-1",): "latin1",
    ("cp1252",): "cp1252",
}
_CODECS = {
    **{name: codecs for codecs, names in _KNOWN.items() for name in names.split()},
    **{f"iso8859{number}": (f"iso-8859-{number}",) for number in range(1, 17) if number != 12},
    **{f"windows{number}": (f"cp{number}",) for number in (874, *range(1250, 1259))},
}
"""Charset as a mail names it, by its letters and digits -> codecs, the likeliest first. Other codecs of the library are
none for words, or take time without end. Mails that name GB2312 often hold characters of GB18030, which contains it;
those that name Big5, Shift_JIS or EUC-KR, such as Windows adds.
"""
_WIDE = frozenset(("utf-16", "utf-16le", "utf-16be"))
_SEVERAL = frozenset(("gb18030", "big5hkscs", "cp932", "euc-jp", "iso-2022-jp", "cp949", "iso-2022-kr"))
"""Codecs with characters of several bytes. Who names one means it; the others are often what a program fills in."""
_WESTERN = frozenset(("iso-8859-1", "iso-8859-15", "cp1252"))
_MARKS = (b"\xff\xfe", b"\xfe\xff")
_LONG, _SHORT = re.compile("[\u0800-\ufffc\U00010000-\U0010ffff]"), re.compile("[\u0080-\u07ff]")
"""Characters that take three bytes of UTF-8 or more, as Chinese ones do, and two bytes."""
_SAMPLE = 10_000
"""The most characters by which a text is judged."""


def words(content: bytes, charset: str | None) -> str:
    """The text of these bytes: in the named charset, or in the one that fits. It never fails."""
    name = re.sub(r"[^a-z0-9]", "", (charset or "")[:100].partition("*")[0].lower())
    codecs = _CODECS.get(name, ("utf-8-sig",))
    if content.startswith(_MARKS) and codecs[0] not in _SEVERAL | _WIDE:
        codecs = ("utf-16",)
    read = next((text for text in _readings(content, codecs) if text is not None), None)
    return storable(content.decode(codecs[0], "replace") if read is None else read)


def storable(text: str) -> str:
    """The text without null characters and halves of characters, which no store takes."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _readings(content: bytes, codecs: tuple[str, ...]) -> Iterator[str | None]:
    """What the bytes may say, the likeliest first; None for what they do not."""
    named = codecs[0]
    if content.isascii() or named in _WIDE:
        yield _strictly(content, *codecs)
    utf_8 = _strictly(content, "utf-8-sig")
    if named in _SEVERAL:
        yield utf_8 if utf_8 is not None and _is_surely_utf_8(utf_8, 2) else None
        nearly = _nearly_utf_8(content)
        yield nearly if nearly is not None and _is_surely_utf_8(nearly, 6) else None
        yield _strictly(content, *codecs)
        return
    yield utf_8
    yield _nearly_utf_8(content)
    if named in _WESTERN:
        yield _nearly_chinese(content)
    yield _strictly(content, *codecs)
    yield _strictly(content, "gb18030")
    yield _nearly_chinese(content)


def _strictly(content: bytes, *codecs: str) -> str | None:
    for codec in codecs:
        try:
            return content.decode(codec)
        except UnicodeError:
            continue
    return None


def _nearly_utf_8(content: bytes) -> str | None:
    """The text if only a few bytes of it are wrong, as in one that was cut in a character."""
    text = content.decode("utf-8-sig", "replace")
    sample = text[:_SAMPLE]
    long, wrong = len(_LONG.findall(sample)), sample.count("\ufffd")
    return text if long and wrong <= max(1, long // 4) else None


def _is_surely_utf_8(text: str, least: int) -> bool:
    """Whether so many long characters and few short ones make it hardly ever UTF-8 by chance."""
    long, short = len(_LONG.findall(text[:_SAMPLE])), len(_SHORT.findall(text[:_SAMPLE]))
    return long >= least and 4 * short <= long


def _nearly_chinese(content: bytes) -> str | None:
    """The text in GB18030 if half of its characters are usual Chinese ones. Letters with accents give others."""
    text = content.decode("gb18030", "replace")
    beyond = [one for one in text[:_SAMPLE] if one > "\x7f" and not "\u3000" <= one <= "\u303f"]
    usual = sum(one in _usual() for one in beyond)
    return text if usual and 2 * usual >= len(beyond) else None


@cache
def _usual() -> frozenset[str]:
    """The first level of GB 2312."""
    codes = (bytes((row, cell)) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF))
    return frozenset(text for code in codes if (text := _strictly(code, "gb2312")))
