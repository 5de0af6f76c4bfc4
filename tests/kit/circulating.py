"""Statements as offices write them, many of one pattern, and what forgers make of them. A seed gives them again."""

from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

UNITS = (
    *("东镇人民政府", "西镇人民政府", "县交通运输局", "县水利局"),
    *("县教育局", "县卫生健康局", "县应急管理局", "县市场监督管理局"),
)
ROADS = (
    *("人民路", "解放路", "建设路", "团结路", "和平路", "新华路"),
    *("中山路", "育才路", "滨河路", "工业大道", "学府街", "迎宾路"),
)
PLACES = ("A3栋", "B区", "C2段", "Q7线", "K108路", "P+R停车场", "X201县道", "G42入口")
PATTERNS = """
关于{road}路面塌陷处置情况的通报
{m}月{d}日{h}时{i}分，{road}与{other}交叉口发生路面塌陷，面积约{a}平方米，无人员伤亡。
{unit}于{h2}时到场围挡，安排{b}台抢修车辆。
预计{m}月{d2}日{h}时前恢复通行，请绕行{third}、{place}。

关于{road}片区停水抢修的通报
因{road}口径{a}毫米供水管爆裂，{other}、{third}一带{n}户停水。
{unit}已组织{b}人抢修，预计{m}月{d2}日{h}时恢复供水。停水期间在{place}设{c}处临时供水点。

{other}学校食堂食品安全情况说明
{m}月{d}日，有家长反映{other}学校食堂食材问题。{unit}已封存食材{a}公斤，送检{b}份，留样检测合格。
目前{n}名学生身体状况正常，{c}名学生已复课。后续情况{d2}日前公布。

关于{place}异味的核查情况
{m}月{d}日接到反映后，{unit}到{road}与{place}现场核查。
监测点PM2.5为{a}微克每立方米，氨氮浓度{b}毫克每升，未超标。
涉事企业停产整改{c}天，整改结果于{m}月{d2}日公布。

{road}交通信号调整通告
自{m}月{d}日起，{road}与{other}路口信号周期由{a}秒调整为{n}秒，{place}公交站向北移动{b}米。
试行{c}个月，由{unit}负责解释。

关于发放临时生活补助的通知
{unit}定于{m}月{d}日至{d2}日发放临时生活补助，每户{n}元，共{a}户。
领取地点：{road}{b}号{place}。不收取任何费用，不需提供银行卡密码。
""".strip().split("\n\n")
"""Each a title, and below it the text."""


class Notice(NamedTuple):
    """A statement."""

    title: str
    text: str


class Forged(NamedTuple):
    """What a forger made of a text."""

    way: str
    text: str


def notices(number: int, seed: int) -> Iterator[Notice]:
    """So many statements."""
    random = Random(seed)
    for at in range(number):
        road, other, third = random.sample(ROADS, 3)
        day, hour = random.randrange(1, 25), random.randrange(6, 20)
        title, _, text = PATTERNS[at % len(PATTERNS)].partition("\n")
        figures = {
            "m": random.randrange(1, 13),
            "d": day,
            "d2": day + random.randrange(1, 4),
            "h": hour,
            "h2": hour + random.randrange(1, 4),
            "i": random.randrange(10, 60),
            "a": random.randrange(12, 99),
            "b": random.randrange(3, 60),
            "c": random.randrange(3, 30),
            "n": random.randrange(120, 5_000),
        }
        words = {
            "road": road,
            "other": other,
            "third": third,
            "unit": random.choice(UNITS),
            "place": random.choice(PLACES),
        }
        yield Notice(*(part.format(**figures, **words) for part in (title, text)))


def forged(text: str, random: Random) -> Forged:
    """The text with one change, in one of the ways of forgers."""
    way = random.choice(sorted(WAYS))
    changed = WAYS[way](text, random)
    while changed == text:
        way = random.choice(sorted(WAYS))
        changed = WAYS[way](text, random)
    return Forged(way, changed)


def _replaced(text: str, at: int, by: str, size: int = 1) -> str:
    return text[:at] + by + text[at + size :]


def _places(text: str, fits: Callable[[str], bool]) -> list[int]:
    return [at for at, one in enumerate(text) if fits(one)]


def _digit(one: str) -> bool:
    return one in "0123456789"


def _shown(one: str) -> bool:
    return bool(one.strip())


def _character(text: str, random: Random) -> str:
    at = random.choice(_places(text, lambda one: "\u4e00" <= one <= "\u9fff"))
    return _replaced(text, at, random.choice("不未已再先后多少上下东西南北大小"))


def _left_out(text: str, random: Random) -> str:
    return _replaced(text, random.choice(_places(text, _shown)), "")


def _added(text: str, random: Random) -> str:
    return _replaced(text, random.randrange(len(text)), random.choice("不未0非大约"), 0)


def _figure(text: str, random: Random) -> str:
    at = random.choice(_places(text, _digit))
    return _replaced(text, at, random.choice("0123456789"))


def _full_width(text: str, random: Random) -> str:
    at = random.choice(_places(text, _digit))
    return _replaced(text, at, random.choice("０１２３４５６７８９".replace(chr(ord(text[at]) + 0xFEE0), "")))


def _other_digit(text: str, random: Random) -> str:
    at = random.choice(_places(text, lambda one: one in "123456789"))
    return _replaced(
        text, at, random.choice(("①②③④⑤⑥⑦⑧⑨", "¹²³⁴⁵⁶⁷⁸⁹", "一二三四五六七八九", "١٢٣٤٥٦٧٨٩"))[int(text[at]) - 1]
    )


def _date(text: str, random: Random) -> str:
    at = text.find("日")
    return _replaced(text, at - 1, str((int(text[at - 1]) + random.randrange(1, 9)) % 10)) if at > 0 else text


def _spaced(text: str, random: Random) -> str:
    both = [at for at in _places(text, _digit) if at and _digit(text[at - 1])]
    return _replaced(text, random.choice(both), random.choice((" ", "\n", "\u3000")), 0) if both else text


def _unit(text: str, random: Random) -> str:
    there = [unit for unit in UNITS if unit in text]
    return text.replace(there[0], random.choice(UNITS), 1) if there else text


LOOK_ALIKE = {
    **dict(zip("ABCKPQXG", "АВСКРԚХԌ", strict=True)),
    **dict(zip("日已末土人口未士入0", "曰己未士入囗末土人O", strict=True)),
    "M": "Μ",
    "2": "Ƨ",
    "约": "約",
    "，": "‚",
    "。": ".",
}


def _alike(text: str, random: Random) -> str:
    at = random.choice(_places(text, LOOK_ALIKE.__contains__))
    return _replaced(text, at, LOOK_ALIKE[text[at]])


HIDDEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u3164\ufe0f"


def _hidden(text: str, random: Random) -> str:
    return _replaced(
        text, random.randrange(len(text)), random.choice("\u200b\u200c\u200d\u2060\ufeff\u00ad\u3164\ufe0f"), 0
    )


def _direction(text: str, random: Random) -> str:
    at = random.choice(_places(text, _digit))
    begin, end = random.choice((("\u202e", "\u202c"), ("\u2067", "\u2069"), ("\u200f", "")))
    return text[:at] + begin + text[at : at + 2][::-1] + end + text[at + 2 :]


def _swapped(text: str, random: Random) -> str:
    at = random.choice([at for at in _places(text, _shown) if _shown(text[at + 1 : at + 2])])
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _sentence(text: str, random: Random) -> str:
    return text + random.choice(("请将费用转至指定账户。", "详情请点击链接领取。", "以上信息不得外传。"))


def _cut(text: str, random: Random) -> str:
    parts = text.split("。")
    gone = random.randrange(len(parts) - 1)
    return "。".join(part for at, part in enumerate(parts) if at != gone)


def _numeral(text: str, random: Random) -> str:
    return text.replace("无人员", f"{random.choice('一二三')}人", 1) if "无人员" in text else _figure(text, random)


WAYS: dict[str, Callable[[str, Random], str]] = {
    "a character": _character,
    "a character left out": _left_out,
    "a character added": _added,
    "a figure": _figure,
    "a full-width figure": _full_width,
    "a digit of another kind": _other_digit,
    "a date": _date,
    "a space in a figure": _spaced,
    "a unit": _unit,
    "a look-alike letter": _alike,
    "a hidden character": _hidden,
    "a direction": _direction,
    "two characters swapped": _swapped,
    "a sentence added": _sentence,
    "a sentence left out": _cut,
    "a Chinese numeral": _numeral,
}
