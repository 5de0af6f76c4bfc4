"""Number plates of vehicles, except ambulances, police and fire brigade."""

import re
import string

from services.kernel.masking.rule import Family, Kind, Match, before, rule, where

# 楚 stands for a province in coded data; after 清 and the like it is a word. GB, JGJ and the like are standards.
_PROVINCE = (
    r"[京津沪渝冀豫云辽黑湘皖鲁苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼新楚](?<![更最全创翻刷]新)(?<![清酸苦痛]楚)"
    r"(?<!新(?=gb|db|jg|cj|hj))"
)
_C = "[a-hj-np-z0-9]"
_SEP = r"[ \n.,:、·•_*-]{0,2}"
_SERIES = rf"{_SEP}(?:[(\[]?[a-hj-np-z][)\]]?)"
_PLACES = "|".join(
    (
        *(rf"{_C}{{{first}}}[ \n]{_C}{{{5 - first}}}" for first in (3, 2, 1, 4)),
        rf"{_C}(?: {_C}){{4,5}}",
        rf"{_C}{{4}}[挂学港澳领]",
        rf"{_C}{{5,6}}",
    )
)
_PLATE = rf"{_PROVINCE}{_SERIES}{_SEP}(?:{_PLACES}|\({_C}{{5,6}}\))"
_END = r"(?![a-z0-9])(?!\s?(?:年|月|警|应急|版|号文|号房|地块|室|栋|楼|元|册|号楼))"
_SAYS = r"[\s:=是为叫(“\[-]{0,4}"
_NEXT = r"(?=[0-9]{1,2}[、.](?![0-9]))"
"""The number of the next entry of a list, directly behind the plate."""

_SERVICE = re.compile(
    r"(?:(?<!黑)救护|急救|警|消防|执勤)车(?:辆)?(?:的)?(?:车?牌(?:照|号|号码)?|号牌)?[\s:是为(“]{0,3}$"
)


def _is_private(match: Match) -> bool:
    """A plate has at least two digits. A word behind a province's short name has not."""
    return sum(char in string.digits for char in match[1]) >= 2 and _SERVICE.search(before(match)) is None


PLATES = Family(
    re.compile(
        r"[a-z牌](?:(?<=牌)[号照]?(?:号码|号)? ?[:是为]|(?<=w)j"
        r"|[)\]]?[ \n.,:、·•_*(-]{0,3}[a-z0-9](?:[ \n]?[a-z0-9]){3})"
    ),
    (
        rule(
            Kind.PLATE,
            rf"(wj(?<![a-z]wj){_SEP}(?:{_PROVINCE}{_SEP}[0-9]{{4}}[0-9a-z]|[0-9]{{2}}{_SEP}(?:{_PROVINCE}{_SEP})?[0-9]{{4,5}}[a-z]?))"
            r"(?![a-z0-9])",
        ),
        rule(
            Kind.PLATE,
            rf"({_PROVINCE}{_SERIES}{_SEP}(?![a-hjk]{_C}[0-9]{{4}}|[0-9]{{5}}[df]){_C}{{5}}){_NEXT}",
            where(_is_private),
        ),
        rule(Kind.PLATE, rf"({_PLATE}){_END}", where(_is_private)),
        rule(
            Kind.PLATE,
            rf"(?:车牌|牌照|号牌|牌号|车号)(?:号码|号)?{_SAYS}([\u4e00-\u9fff]?[a-z][ .·•-]?[a-z0-9]{{4,6}}){_END}",
            where(_is_private),
        ),
        rule(Kind.PLATE, rf"(?:车牌|牌照|号牌)(?:号码|号)?\s?[:是为]\s?([0-9]{{5}}){_END}"),
    ),
)
