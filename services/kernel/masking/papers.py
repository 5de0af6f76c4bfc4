"""Identity cards, passports, permits and the other papers of a person."""

import re
from datetime import date

from services.kernel.masking.plain import UNSEEN
from services.kernel.masking.rule import (
    FIRST,
    IS,
    NOT_A_POST,
    TO,
    UNIT,
    Kind,
    Match,
    before,
    digits,
    is_date,
    is_of_a_paper,
    is_part,
    rule,
    where,
    words,
)

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


_OF_A_PERMIT = re.compile(
    r"(?:许可|准运|规划|用地|施工|预售|采购|项目)[^,。;]{0,4}(?:证|编号|代码)号?[\s:是为第]{0,3}$"
)


def identity_check(number: str) -> bool:
    """The check character of an 18-digit identity card number (GB 11643)."""
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], _WEIGHTS, strict=True))
    return "10x98765432"[total % 11] == number[17].lower()


def names_birth(number: str, birth: str) -> bool:
    """Whether a number begins as a province's numbers do, and holds a birthday."""
    if number[0] not in "12345689" or number[1] not in "1234567" or not "1850" < birth[:4] < "2100":
        return False
    try:
        date(int(birth[:4]), int(birth[4:6]), int(birth[6:]))
    except ValueError:
        return False
    return True


def _is_identity(match: Match) -> bool:
    """A province with a birthday, or the check character: a mistyped number still belongs to somebody.

    The number of a building permit also holds a place and a day.
    """
    number = digits(match[1])
    births = names_birth(number, number[6:14])
    checks = identity_check(number) and (births or len(number) == len(match[1]))
    if is_part(match):
        return False
    if births and checks:
        return _OF_A_PERMIT.search(before(match)) is None
    return (births or checks) and not is_of_a_paper(match)


def _is_old_identity(match: Match) -> bool:
    number = digits(match[1])
    return names_birth(number, "19" + number[6:12]) and not is_of_a_paper(match)


def _is_value(match: Match) -> bool:
    """The digits after a label, unless they are a day."""
    return not is_date(match[1])


_G = rf"[ \t\n\r{UNSEEN}.,·•—()-]{{0,2}}"
_NO = r"(?:件)?(?:档案)?(?:\s?(?:编号|号码|证号|号|no\.?|number))?"
_MORE = rf"(?:{_G}[0-9])"
_END = r"(?![a-z0-9])"


def _labelled(labels: str, value: str) -> str:
    return rf"(?:{words(labels)}),?{_NO}{IS}({value}){_END}{UNIT}"


_PAPERS = (
    "护照|passport|通行证|大通证|台胞证|回乡证|居留证|居留身份证|居住证|优待证|签证|军官证|士兵证|士官证|警官证|文职证|军人证|驾驶证|驾照"
    "|社保卡|社保|社会保障卡|社会保障|医保卡|医保|学籍|学号|准考证|残疾人证|残疾证"
)

PAPERS = (
    rule(
        Kind.IDENTITY_CARD,
        rf"(?:{words('身份证|身分证|身份号码|证件号|sfz|残疾证|残疾人证')}){_NO}{IS}([0-9]{_MORE}{{14,18}}(?:{_G}[0-9x])?){TO}",
    ),
    rule(Kind.DOCUMENT, _labelled(_PAPERS, r"(?:[a-z]{1,3}[ .-]?)?[0-9](?:[ -]?[0-9]){5,19}x?"), where(_is_value)),
    rule(Kind.DOCUMENT, _labelled("香港身份证|港证", r"[a-z]{1,2}[0-9]{6}\(?[0-9a]\)?")),
    rule(Kind.DOCUMENT, r"([a-z](?<![a-z0-9].)[0-9]{6}\([0-9a]\))"),
    rule(Kind.DOCUMENT, _labelled("台湾身份证", "[a-z][12][0-9]{8}")),
    rule(Kind.DOCUMENT, _labelled("澳门身份证", r"[1578][0-9]{6}\(?[0-9]\)?")),
    rule(Kind.DOCUMENT, _labelled("军官证|士兵证|士官证|警官证|文职证", r"[\u4e00-\u9fff]{1,2}字第?[0-9]{4,8}号?")),
    rule(
        Kind.IDENTITY_CARD,
        rf"([0-9]{FIRST}{NOT_A_POST}{_MORE}{{16}}{_G}[0-9x]){TO}",
        where(_is_identity),
        again=True,
    ),
    rule(
        Kind.IDENTITY_CARD,
        rf"([0-9]{FIRST}{NOT_A_POST}[0-9]{{5}} ?[0-9]{{6}} ?[0-9]{{3}}){TO}",
        where(_is_old_identity),
        again=True,
    ),
)
