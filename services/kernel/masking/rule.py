"""A rule of masking, and the pieces from which all families build their rules.

All patterns are written for the plain copy of a text: small letters, ASCII digits, dashes and spaces.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from services.kernel.masking.plain import UNSEEN


class Kind(StrEnum):
    """The kinds of masked text."""

    MOBILE = "mobile"
    LANDLINE = "landline"
    FOREIGN_PHONE = "foreign_phone"
    IDENTITY_CARD = "identity_card"
    DOCUMENT = "document"
    BANK_CARD = "bank_card"
    EMAIL = "email"
    PLATE = "plate"
    ACCOUNT = "account"
    PROFILE = "profile"
    NAME = "name"


Match = re.Match[str]
Span = tuple[int, int]


def whole(match: Match) -> list[Span]:
    """Group 1 of the pattern."""
    return [match.span(1)]


def where(holds: Callable[[Match], bool]) -> Callable[[Match], list[Span]]:
    """Group 1 of the pattern, if a condition holds that a pattern cannot express."""
    return lambda match: [match.span(1)] if holds(match) else []


@dataclass(frozen=True, slots=True)
class Rule:
    """`places` gives the places of a match that are masked; none, if the match is no personal data."""

    kind: Kind
    pattern: re.Pattern[str]
    places: Callable[[Match], list[Span]] = whole
    again: bool = False
    """Whether a refused match may hold the beginning of another match: "1 4301…". Only for bounded patterns."""

    def spans(self, copy: str) -> Iterator[Span]:
        """The places to mask in a plain copy, from left to right."""
        if not self.again:
            for match in self.pattern.finditer(copy):
                yield from self.places(match)
            return
        at = 0
        while found := self.pattern.search(copy, at):
            places = self.places(found)
            yield from places
            at = found.end() if places else found.start() + 1


def rule(kind: Kind, pattern: str, places: Callable[[Match], list[Span]] = whole, *, again: bool = False) -> Rule:
    """A rule from the text of its pattern."""
    return Rule(kind, re.compile(pattern), places, again)


@dataclass(frozen=True, slots=True)
class Family:
    """Rules that are tried together. Every text in which one of them finds something matches `need`."""

    need: re.Pattern[str]
    rules: tuple[Rule, ...]


WALL = "\u0000"
"""Stands in a plain copy for each character that is masked already. A rule may look at it but not match it."""

GAP = rf"[ \t\n\r{UNSEEN}.·•—~_*-]{{0,3}}"
"""What people write between the groups of a number: spaces, dashes, dots, a line break."""
SPACE = rf"[ \t\n\r{UNSEEN}-]{{0,3}}"
FIRST, TO = r"(?<![0-9].)", r"(?![0-9])"
"""The ends of a run of digits.

`FIRST` stands behind the first digit. A pattern that begins with a character, or with a choice of words, is found many
times faster than one that begins with a condition.
"""
IS = r"(?:[\s:=,.→>(“‘\"'「《<【\[-]|就?是|为|叫|号){0,4}"
"""What may stand between a label and the value."""
SAYS = r"\s?(?:[:=(“\"「【\[→>-]|就?是|为|叫)\s?"
"""The same, for labels that announce nothing by themselves."""

# In the address of a post, the long number is the number of the post.
NOT_A_POST = "".join(
    f"(?<!/{word}/.)"
    for word in ("status", "statuses", "detail", "video", "note", "article", "answer", "question", "photo", "group")
)

NUMBER = re.compile(rf"[0-9(](?:[ \t\n\r{UNSEEN}.·•—~_*/,:()、-]{{0,3}}[0-9]){{5}}")
"""Every text with a number of six digits matches this, whether the digits stand in groups or not."""

UNIT = (
    r"(?!\s?(?:元(?!旦)|[万亿千百]元|[万亿][元吨人户件亩平]|美元|吨|公斤|千克|斤|平方|平米|㎡|m2|m²|亩|立方|公里|千米"
    r"|件|期(?!待|望|盼)|册|人次|户(?!主)|辆|套|箱|盒|株|年|个|只|包|次|票|版|分(?!机|别|钟内)))"
)
"""The end of a number. No unit of measure follows, so the number counts nothing."""

_OF_A_PAPER = re.compile(
    r"(?:编号|编码|单号|单编号|合同号?|协议号?|发票号?|票号|文号|字第?|案号|证书?号?|核准号|备案号?|受理号|流水号|订单号?|运单号?|批号|期号"
    r"|条码|条形码|二维码|税号|代码|注册号|登记号|项目号|宗地号?|地块号?|型号|版本号?|序列号|设备号|户号|表号|时间戳|序号|坐标|邮编|邮政编码)"
    r"(?:号码|编号|号)?[\s:是为第(“-]{0,3}$"
)
_CLOSE = 16


def before(match: Match, size: int = _CLOSE) -> str:
    """The text closely before group 1, not further back than the last masked place."""
    begin = match.start(1)
    return match.string[max(0, begin - size) : begin].rpartition(WALL)[2]


def is_of_a_paper(match: Match) -> bool:
    """Whether the words before it say that the number is a document's, an invoice's, a contract's and the like."""
    return _OF_A_PAPER.search(before(match)) is not None


def is_part(match: Match) -> bool:
    """Whether a number in groups continues a longer one: 2019-430102-48-03-132750."""
    return not match[1].isalnum() and re.search("[0-9]-$", before(match)) is not None


def words(choice: str) -> str:
    """`微信|vx` as a choice. A word of Latin letters begins only where no letter stands before it."""
    return "|".join(f"{word}(?<![a-z]{word})" if word.isascii() else word for word in choice.split("|"))


def digits(text: str) -> str:
    """The digits of a number in groups."""
    return "".join(char for char in text if char in "0123456789x")


def is_date(number: str) -> bool:
    """Whether eight digits are a day of recent decades."""
    return (
        len(number) == 8 and number[:2] in ("19", "20") and "01" <= number[4:6] <= "12" and "01" <= number[6:] <= "31"
    )
