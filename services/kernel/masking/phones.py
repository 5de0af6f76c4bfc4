"""Telephone numbers: mobile, fixed, and of other countries."""

import re

from services.kernel.masking.plain import UNSEEN
from services.kernel.masking.rule import (
    FIRST,
    IS,
    NOT_A_POST,
    SPACE,
    TO,
    UNIT,
    WALL,
    Kind,
    Match,
    Span,
    before,
    digits,
    is_date,
    is_of_a_paper,
    rule,
    words,
)

_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
_DIALLED = re.compile(rf"(?:(?:\+|00)?86{SPACE}|\(\+?86\){SPACE}|(?<![0-9])0|\+)?\(?$")


def _begin(match: Match) -> int:
    """The place where the number begins, including a dialling prefix such as `+86` and a bracket that the number
    closes.
    """
    found = _DIALLED.search(before(match))
    size = len(found[0]) if found else 0
    if found and found[0] == "(" and match[1].count(")") == match[1].count("("):
        size = 0
    return match.start(1) - size


# -- Mobile ------------------------------------------------------------------------------------------------------------


def _groups(sizes: str, gap: str) -> str:
    """A mobile number without its first two digits, in groups of these sizes, such as `3 4 4`."""
    first, *others = (int(size) for size in sizes.split())
    return f"[0-9]{{{first - 2}}}" + "".join(f"{gap}[0-9]{{{size}}}" for size in others)


_SPACED = rf"[ \n{UNSEEN}.-]"
_MOBILE = "|".join(
    (
        "[3-9][0-9]{9}",
        # Everybody reads this grouping as a telephone number, whatever stands between the groups.
        "[3-9]" + _groups("3 4 4", rf"[ \t\n\r{UNSEEN}.·•—~_*/,-]{{1,3}}"),
        *(
            "[3-9]" + _groups(sizes, rf"[ \t\n\r{UNSEEN}.·•—~-]{{1,3}}")
            for sizes in (
                *("3 8", "4 7", "5 6", "6 5", "7 4", "8 3", "4 3 4", "4 4 3", "3 3 5", "3 5 3", "5 3 3"),
                *("3 3 3 2", "3 2 2 2 2"),
            )
        ),
        "[3-9]" + _groups("2 3 3 3", _SPACED),
        rf"(?:{_SPACED}[0-9]){{10}}",
        r"[3-9][0-9]\)[ -]?[0-9]{4}[ -]?[0-9]{4}",
        r"[3-9][0-9]\([0-9]{4}\)[0-9]{4}",
    )
)
_ONE = rf"1(?:(?<![0-9].)|(?<=(?<![0-9])0.)|(?<=(?<![0-9])86.)|(?<=0086.)){NOT_A_POST}"
"""The first digit. Only a dialling prefix may stand before it."""


def _mobile(match: Match) -> list[Span]:
    groups = re.findall("[0-9]+", match[1])
    if is_of_a_paper(match):
        return []
    if len(groups) == 2:  # 13000-150000 is a range; a year behind a number is no part of it
        after = match.string[match.end() : match.end() + 1]
        if all(group.endswith("00") for group in groups) or (_YEAR.fullmatch(groups[1]) and after in tuple(".-年")):
            return []
    if len(groups) == 3 and _YEAR.fullmatch(groups[1]) and _YEAR.fullmatch(groups[2]):  # 135 2016-2020
        return []
    return [(_begin(match), match.end(1))]


# -- Fixed -------------------------------------------------------------------------------------------------------------

_AREA = "(?:10|2[0-9]|[3-9][0-9]{2})"
"""The number without the leading 0."""
_AFTER_AREA = rf"[ \t\n\r{UNSEEN}./:·•、,_~)—-]{{0,3}}"
_LOCAL = rf"[2-8](?:[0-9]{{2,3}}{SPACE}[0-9]{{4}}{TO})"
_OR = r"\s?(?:、|,|/|和|或者?|;)\s?"
_LOCALS = rf"{_LOCAL}(?:{_OR}{_LOCAL})*"
_EXTENSION = rf"(?:{SPACE}(?:转|-|分机){SPACE}[0-9]{{1,5}}|转)?"
_ONE_LOCAL = re.compile(_LOCAL)
_LABEL = words("电话|热线|座机|固话|宅电|家电|小灵通|传真|号码|号|手机|联系方式|致电|拨|打|来电显示|来电|tel|phone|fax")


def _each(match: Match) -> list[Span]:
    """Each number of a list of local ones, except two years, or the number of a document."""
    if is_of_a_paper(match):
        return []
    begin = match.start(1)
    return [
        (begin + found.start(), begin + found.end())
        for found in _ONE_LOCAL.finditer(match[1])
        if not re.fullmatch(r"(?:19|20)[0-9]{2}\D+(?:19|20)[0-9]{2}", found[0])
    ]


def _no_days(match: Match) -> list[Span]:
    return [span for span in _each(match) if not is_date(digits(match.string[slice(*span)]))]


def _labelled(match: Match) -> list[Span]:
    """Eight digits that form a day are a telephone number only if the writer says so: "电话：20230703"."""
    return _each(match) if any(char in ":是为" for char in before(match, 3)) else _no_days(match)


def _with_area(match: Match) -> list[Span]:
    """The number with its area code, then the local numbers that follow it."""
    if is_of_a_paper(match):
        return []
    first = (_begin(match), match.start(2))
    return [first, *(found.span() for found in _ONE_LOCAL.finditer(match.string, match.start(2), match.end(2)))]


# -- Of other countries ------------------------------------------------------------------------------------------------

_GAP = rf"[ {UNSEEN}.()-]{{0,3}}"
_COUNTRY = "|".join(  # E.164 except 86; numbers of country 1 have ten digits
    (
        rf"1(?={_GAP}[2-9][0-9]{{2}}{_GAP}[2-9](?:{_GAP}[0-9]){{6}}{TO})",
        "7|20|27|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[124]|9[0-58]|2[1-689][0-9]|3[578][0-9]|42[0-9]|5[09][0-9]|6[7-9][0-9]",
        "85[0-6]|88[06]|9[679][0-9]",
    )
)
_ABROAD = rf"(?:{_COUNTRY})(?:{_GAP}[0-9]){{7,12}}{TO}{UNIT}"
_NEAR = (
    rf"85[23](?<![0-9]...)\)?{SPACE}[25-9][0-9]{{3}}[ -]?[0-9]{{4}}"
    rf"|886(?<![0-9]...)\)?{SPACE}0?9[0-9]{{2}}[ -]?[0-9]{{3}}[ -]?[0-9]{{3}}"
)
"""Hong Kong, Macau and Taiwan, known without a `+`."""
_PLACE = (
    "香港|澳门|台湾|美国|加拿大|英国|日本|韩国|新加坡|澳洲|澳大利亚|新西兰|马来西亚|泰国|越南|菲律宾|印尼|德国|法国|意大利"
    "|西班牙|俄罗斯|国外|境外|海外"
)


def _abroad(match: Match) -> list[Span]:
    return [] if is_of_a_paper(match) else [(_begin(match), match.end(1))]


PHONES = (
    rule(Kind.FOREIGN_PHONE, rf"(\+(?<![0-9]\+){SPACE}{_ABROAD})", _abroad),
    rule(Kind.MOBILE, rf"({_ONE}(?:{_MOBILE})){TO}{UNIT}", _mobile, again=True),
    rule(Kind.FOREIGN_PHONE, rf"(00(?<![0-9a-z]00){SPACE}{_ABROAD})", _abroad),
    rule(Kind.FOREIGN_PHONE, rf"({_NEAR}){TO}{UNIT}", _abroad),
    rule(
        Kind.FOREIGN_PHONE,
        rf"(?:{_PLACE})的?(?:联系)?(?:电话|手机|号码){IS}(\(?[0-9](?:[ .()-]{{0,2}}[0-9]){{6,11}}){TO}{UNIT}",
    ),
    rule(
        Kind.LANDLINE,
        rf"(0{FIRST}{_AREA}{_AFTER_AREA}{_LOCAL}{_EXTENSION}((?:{_OR}{_LOCAL})*)){UNIT}",
        _with_area,
    ),
    rule(
        Kind.LANDLINE,
        rf"86(?:(?<![0-9]..)|(?<=00..)){SPACE}\(?({_AREA}\)?{SPACE}{_LOCAL}{_EXTENSION}((?:{_OR}{_LOCAL})*)){UNIT}",
        _with_area,
    ),
    rule(Kind.LANDLINE, rf"(?:{_LABEL}){IS}(?:[0-9]{{3,5}}{_OR})*+({_LOCALS}){UNIT}", _labelled),
    rule(Kind.LANDLINE, rf"[股科室站所局办台处队][:(-]{{1,2}}({_LOCALS}){UNIT}", _no_days),
    rule(
        Kind.LANDLINE,
        rf"({_LOCAL.replace('(?:', FIRST + '(?:', 1)})(?=打来|打电话|来电|\((?:宅|家|办|座机)|(?:宅|家)(?:电|里))",
        _no_days,
    ),
    # Close behind a number that is masked already.
    rule(Kind.LANDLINE, rf"{WALL}{_OR}({_LOCALS}){UNIT}", _no_days),
)
