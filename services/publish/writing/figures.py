"""Finds the figures of a Chinese or English text: numbers, shares, days and times, in every form of writing. Pure.

Words that only contain a numeral are no figures, nor are ordinals, marks of a list, codes such as A3, numbers of
documents, telephones and addresses of pages.
"""

import math
import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

SHARE = "百分比"
"""The measure of a share in percent."""
NARROW = str.maketrans("０１２３４５６７８９．％：", "0123456789.%:")
"""Full-width forms of what stands in numbers. Their places stay."""

_WORDS = """
    十八大 十九大 二十大 三中全会 四中全会 五中全会 六中全会 七中全会
    十一黄金周 十一假期 十一期间 十一长假
    二次供水 七站八所 两个维护 四个意识 四个自信 一户一表 一人一档 一式两份
    九年义务教育 一户一宅 每一名 千家万户 百分百 七里 八里 九里 十里
"""
"""Congresses, holidays, technical terms, slogans and places. Most words with a numeral need no entry: 一定 or 三峡 have
no counting word, 万一 and 千万 begin with no digit, 十三五 is no well-formed number.
"""
IDIOMS = tuple(_WORDS.split())
"""Words in which a numeral counts nothing, and that would be read as figures. Found in real messages and replies."""
_COUNTING = """
    个 名 位 处 家 次 起 台 件 条 吨 公里 千米 天 周 岁 倍 层 栋 幢 套 间 座 块 根 棵 株 项 例 具 亩 公顷 分钟 秒 千瓦
    立方米 公斤 千克 克 升 里 趟 班 场 年 号 页 张 幅
"""
COUNTERS = tuple(_COUNTING.split())
"""Words that follow a number and are no measure of the list of facts. A lone Chinese numeral needs one of them."""
ALIASES = {
    "平方米": ("㎡", "m²", "平米"),
    "小时": ("个小时",),
    "分贝": ("dB",),
    "公里": ("km",),
}
"""A measure -> further ways of writing it."""
NOT_AFTER = {
    "人": "人(?![次民均大])",
    "份": "份(?!额)",
    "元": "元(?!旦)",
    "户": "户(?![籍口外型])",
    "年": "年(?!级)",
    "号": "号(?!线)",
}
"""Measures and counting words, each as a pattern that leaves out the words which only begin with it."""
COUNTED = ("名", "例", "具")
"""一 before other counting words is an article: 一个小区."""

_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")}
_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8}
_PLAIN = str.maketrans("壹贰叁肆伍陆柒捌玖拾佰仟萬億两〇", "一二三四五六七八九十百千万亿二零")
_D = "[一二三四五六七八九]"
_SECTION = re.compile(rf"(?:({_D})千)?(零?(?:({_D})百))?(零?(?:({_D}?)十))?(零?({_D}))?")

_CHINESE = "[〇零一二两三四五六七八九十百千万亿]"
_CAPITAL = "[零壹贰叁肆伍陆柒捌玖拾佰仟萬億万亿]"
_ARABIC = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
_ROUND = "(?:[上逾超近][百千万亿]{1,3}(?!分之)|[百千万亿]{1,2}(?=[余多来]))"
"""上百, 近千 or the 百 of 百余: a round number without a digit. It needs a measure or a counting word: 百货 is none."""
_NUMBER = (
    rf"(?:[数几][十百千万亿]{{1,4}}|{_ROUND}|(?<![A-Za-z\d.])(?<![A-Za-z]-){_ARABIC}[十百千万亿]{{0,3}}"
    rf"|(?=[壹贰叁肆伍陆柒捌玖拾]){_CAPITAL}{{2,24}}(?:点[零壹贰叁肆伍陆柒捌玖]{{1,24}})?"
    rf"|(?=[〇零一二两三四五六七八九十]){_CHINESE}{{1,24}}(?:点[〇零一二三四五六七八九]{{1,24}})?)"
)
_SMALL = r"(?:(?<!\d)\d{1,2}|[一二三四五六七八九十]{1,3})"
_YEAR = r"(?:(?<!\d)\d{4}|[〇○零0一二三四五六七八九]{4})\s?年"
_DAY = (
    rf"(?:{_YEAR}(?:\s?{_SMALL}\s?月份?)?(?:\s?{_SMALL}\s?[日号])?|{_SMALL}\s?月(?:\s?{_SMALL}\s?[日号]|份)?(?!亮|饼)"
    rf"|{_SMALL}\s?日(?!常|益|用|报|产)|(?<!\d)\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}(?!\d))"
)
_PART = "(?:上午|下午|凌晨|早上|早晨|清晨|中午|傍晚|晚上|晚间|夜间|早|晚)"
_HOUR = (
    rf"(?:{_PART}?\s?(?:{_SMALL}\s?时(?![候间常刻代期段长事不而])"
    rf"(?:{_SMALL}\s?分(?!钟)|半)?|{_SMALL}点(?:{_SMALL}分(?!钟)|半|整|钟)"
    rf"|(?<![\d:])\d{{1,2}}:\d{{2}}(?::\d{{2}})?(?![\d:])|{_SMALL}点(?=[前后至到左许]))|{_PART}\s?{_SMALL}点)"
)
_MARK = (
    r"(?:(?:^|(?<=[\n。；;：:？?！!，,\s]))[(（]?(?:\d{1,2}|[一二三四五六七八九十]{1,3})(?:[)）、．]|\.(?!\d))"
    r"|[(（](?:\d{1,2}|[一二三四五六七八九十]{1,3})[)）]|[一二三四五六七八九]是)"
)
_NAME = (
    rf"(?:https?://[^\s\u4e00-\u9fff]+|(?<![A-Za-z])[A-Za-z][A-Za-z\d./_-]{{0,30}}\d[A-Za-z\d]{{0,30}}|\d+#|第\s?{_NUMBER}|{_NUMBER}(?:号线|年级|路)"
    r"|[\[［〔﹝(（]\d{4}[\]］〕﹞)）]\s?\d+\s?号|(?<!\d)0\d{2,3}-?\d{7,8}(?!\d))"
)
"""An address of a page, a code, an ordinal, a line, the number of a document, a telephone."""


class Figure(NamedTuple):
    """A figure of a text. `at` is its first character, counted from 1."""

    at: int
    text: str
    """As it is written, with its measure or counting word."""
    kind: Literal["number", "day"]
    """`day` is a day or a time of day; it has no value."""
    value: Decimal | None = None
    """The exact value; of an approximate number the least one."""
    measure: str | None = None
    """A measure of the list of facts."""
    below: Decimal | None = None
    """An approximate number means less than this (两千余: 2000 to 3000)."""

    def agrees(self, value: Decimal) -> bool:
        """Whether it can mean this value."""
        if self.value is None or self.below is None:
            return value == self.value
        return self.value <= value < self.below


def find(text: str, measures: Collection[str], telephones: Collection[str] = ()) -> list[Figure]:
    """The figures in order. `measures` are those of the list of facts; `telephones` may stand in any text."""
    plain = _IDIOM.sub(_hidden, text.translate(NARROW))
    plain = _DIALLED.sub(lambda one: _hidden(one) if one[0].replace("-", "") in telephones else one[0], plain)
    pattern, names = _pattern(frozenset(measures))
    return [figure for one in pattern.finditer(plain) if (figure := _figure(one, text, names))]


def _hidden(found: re.Match[str]) -> str:
    return "\0" * len(found[0])


def _figure(one: re.Match[str], text: str, names: Mapping[str, str]) -> Figure | None:
    """The figure that a match of `_pattern` is, if it is one."""
    written = text[one.start() : one.end()]
    at, written = one.start() + 1 + len(written) - len(written.lstrip()), written.strip()
    if one["skip"]:
        return None
    if one["day"]:
        return Figure(at, written, "day")
    if one["half"]:
        whole = value_of(one["whole"] or "零")
        return None if whole is None else Figure(at, written, "number", whole + Decimal("0.5"), names.get("小时"))
    if one["lower"]:
        upper, lower = value_of(one["upper"]), value_of(one["lower"])
        return Figure(at, written, "number", upper / lower) if upper is not None and lower else None
    token, unit = one["share"] or one["number"], one["unit"] or ""
    measure = SHARE if one["share"] or one["percent"] else names.get(unit)
    least = _least(token)
    if least is None or not (one["share"] or one["percent"] or _counts(token, unit, measure)):
        return None
    below, times = _below(token, least, bool(one["more"])), math.prod(_UNITS[unit] for unit in one["times"] or "")
    return Figure(at, written, "number", least * times, measure, None if below is None else below * times)


def _counts(written: str, unit: str, measure: str | None) -> bool:
    """Whether a number without a percent sign is one, and no part of a word."""
    if _is_round(written):
        return unit != ""
    if written[0].isdigit() or (len(written) > 1 and not _is_row(written)):
        return True
    return measure is not None or (unit != "" and (written != "一" or unit in COUNTED))


def _is_row(token: str) -> bool:
    """Whether it is a short row of Chinese digits without units, such as 三四 or 五一."""
    return len(token) < 3 and all(character in _DIGITS for character in token.translate(_PLAIN))


def _is_round(token: str) -> bool:
    """Whether it is a round number without a digit, such as 上百."""
    return token[0] in "上逾超近百千万亿"


def _least(token: str) -> Decimal | None:
    """The value of a number, the least one of an approximate number; None if it is no number."""
    if _is_round(token):
        value = value_of("一" + token.lstrip("上逾超近"))
        return value * Decimal("0.9") if value and token[0] == "近" else value
    if token[0] in "数几":
        return value_of(("二" if token[0] == "几" else "一") + token[1:]) or value_of("一" + token[1:])
    if _is_row(token) and len(token) == 2:
        first, last = (_DIGITS[character] for character in token.translate(_PLAIN))
        return Decimal(first) if last == first + 1 else None
    return value_of(token)


def _below(token: str, least: Decimal, more: bool) -> Decimal | None:
    if token[0] in "数几":
        return 10 * (value_of("一" + token[1:]) or least)
    if _is_row(token) and len(token) == 2:
        return least + 2
    if token[0] in "上逾超":
        return 10 * least
    if token[0] == "近":
        return least / Decimal("0.9")
    if more:
        return least + Decimal(10) ** int(least.normalize().as_tuple().exponent)
    return None


def value_of(token: str) -> Decimal | None:
    """The value of a number in Arabic or Chinese numerals, also mixed (1.2万); None if it is not well formed."""
    plain = token.translate(NARROW).replace(",", "").translate(_PLAIN)
    if found := _MIXED.fullmatch(plain):
        return Decimal(found[1]) * math.prod(_UNITS[unit] for unit in found[2])
    whole, _, part = plain.partition("点")
    value = _row(whole) if whole and all(character in _DIGITS for character in whole) else _whole(whole)
    if value is None or (part and not all(character in _DIGITS for character in part)):
        return None
    return Decimal(f"{value}.{''.join(str(_DIGITS[character]) for character in part) or 0}").normalize() + 0


def _row(digits: str) -> int:
    return int("".join(str(_DIGITS[character]) for character in digits))


def _whole(text: str) -> int | None:
    """A whole number with Chinese units."""
    for unit in "亿万":
        above, has, under = text.rpartition(unit)
        if has:
            high = _whole(above) if above else None
            if high is None:
                return None
            # 三万五 is 35000
            if under in _DIGITS and under != "零":
                return high * _UNITS[unit] + _DIGITS[under] * _UNITS[unit] // 10
            low = _whole(under) if under else 0
            return None if low is None else high * _UNITS[unit] + low
    found = _SECTION.fullmatch(text)
    if not text or found is None:
        return None
    thousands, _, hundreds, ten, tens, last, ones = found.groups()
    value = 1000 * _DIGITS.get(thousands or "", 0) + 100 * _DIGITS.get(hundreds or "", 0)
    value += 10 * (_DIGITS[tens] if tens else 1) if ten else 0
    # 一百二 is 120
    short = {"百": 10, "千": 100}.get(text[-2:-1], 1) if last == ones else 1
    return value + short * _DIGITS.get(ones or "", 0)


_MIXED = re.compile(r"(\d+(?:\.\d+)?)([十百千万亿]*)")
_DIALLED = re.compile(r"(?<!\d)\d[\d-]*\d(?!\d)")
_IDIOM = re.compile("|".join(sorted(IDIOMS, key=len, reverse=True)))


@lru_cache(maxsize=8)
def _pattern(measures: frozenset[str]) -> tuple[re.Pattern[str], Mapping[str, str]]:
    """What finds figures, and each way of writing a measure -> the measure."""
    names = {one: one for one in measures}
    names |= {alias: one for one in measures for alias in ALIASES.get(one, ())}
    units = sorted({*names, *COUNTERS} - {SHARE}, key=len, reverse=True)
    unit = "|".join(NOT_AFTER.get(one, re.escape(one)) for one in units)
    pattern = re.compile(
        rf"(?P<skip>{_NAME}|{_MARK})"
        rf"|(?P<day>{_DAY}(?:\s?{_HOUR})?|{_HOUR})"
        rf"|百分之\s?(?P<share>{_NUMBER})"
        rf"|(?P<lower>{_CHINESE}{{1,12}}|\d{{1,12}})分之(?P<upper>{_CHINESE}{{1,12}}|\d{{1,12}})"
        rf"|(?P<half>(?:(?P<whole>{_NUMBER})个)?半个?小时)"
        rf"|(?P<number>{_NUMBER})(?:(?P<more>[余多几来])(?P<times>[万亿]{{1,2}})?)?\s?(?:(?P<percent>%|per\s?cent)|(?P<unit>{unit}))?",
        re.IGNORECASE,
    )
    return pattern, names
