"""Numbers of bank cards and accounts."""

import re

from services.kernel.masking.plain import UNSEEN
from services.kernel.masking.rule import FIRST, IS, NOT_A_POST, TO, UNIT, Kind, Match, Span, digits, is_part, rule

_G = rf"[ \t\n\r{UNSEEN}.·•—-]{{0,3}}"
_HEAD = re.compile(r"3[0-9]|4|5[0-8]|6[0-9]|2(?:2[2-9]|[3-6]|7[0-2])|9558|95[59]|94[0-9]|99[0-9]|103")
"""The first digits of cards that banks here and elsewhere issue."""


def luhn(number: str) -> bool:
    """The check of bank card numbers (ISO/IEC 7812-1)."""
    values = [int(digit) for digit in reversed(number)]
    return (sum(values[::2]) + sum(sum(divmod(2 * value, 10)) for value in values[1::2])) % 10 == 0


def is_card(number: str) -> bool:
    """Whether digits begin as bank cards do and pass the check."""
    return 16 <= len(number) <= 19 and _HEAD.match(number) is not None and luhn(number)


def _cards(match: Match) -> list[Span]:
    """The longest beginning of a run of groups that is a card number and ends with a group.

    People write cards in groups of three or more digits, or digit by digit. "430102-48-03-132750" is no card.
    """
    run, begin = match[1], match.start(1)
    groups = [found.span() for found in re.finditer("[0-9]+", run)]
    if is_part(match):
        return []
    sizes = [last - first for first, last in groups]
    for count in range(len(groups), 0, -1):
        number = digits(run[: groups[count - 1][1]])
        if len(number) < 16:
            break
        if is_card(number) and (min(sizes[: count - 1], default=3) >= 3 or max(sizes[:count]) == 1):
            return [(begin, begin + groups[count - 1][1])]
    return []


_BANK = (
    "(?:银行|储蓄|信用|借记|工资|工行|建行|农行|中行|交行|招行|邮储|邮政|农商行|信用社|卡号|卡上|我卡|我的卡|打款|汇款|转账|转到|存折"
    "|帐号|账号|帐户|账户)(?:卡|到)?(?:账号|帐号|账户|卡号|号码?)?"
)

BANKS = (
    rule(
        Kind.BANK_CARD,
        rf"{_BANK}{IS}([0-9](?:{_G}[0-9]){{11,24}}){TO}{UNIT}",
    ),
    rule(Kind.BANK_CARD, rf"([0-9]{FIRST}{NOT_A_POST}(?:{_G}[0-9]){{15,18}}){TO}", _cards, again=True),
)
