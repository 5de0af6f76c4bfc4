"""The figures of a text are found in every form of writing, and words that only contain a numeral are not."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.publish.writing.figures import SHARE, Figure, find, value_of

MEASURES = ("盏", "米", "平方米", "户", "人", "小时", "元", SHARE)
WIDE = str.maketrans("0123456789.", "０１２３４５６７８９．")
NUMERALS, PLACES = "零一二三四五六七八九", ("", "十", "百", "千")


def in_chinese(number: int) -> str:
    """A number from 1 to 99,999,999 in Chinese numerals."""
    if number >= 10_000:
        high, low = divmod(number, 10_000)
        gap = "零" if 0 < low < 1_000 else ""
        return in_chinese(high) + "万" + gap + (in_chinese(low) if low else "")
    found, digits = "", str(number)
    for place, digit in zip(range(len(digits) - 1, -1, -1), digits, strict=True):
        if digit != "0":
            found += NUMERALS[int(digit)] + PLACES[place]
        elif found and not found.endswith("零"):
            found += "零"
    found = found.rstrip("零")
    return found[1:] if found.startswith("一十") else found


def written(number: int) -> dict[str, str]:
    """The forms of a number."""
    forms = {"arabic": str(number), "grouped": f"{number:,}", "wide": str(number).translate(WIDE)}
    forms["ten thousands"] = f"{Decimal(number) / 10_000:f}万"
    forms["chinese"] = in_chinese(number)
    forms["capital"] = forms["chinese"].translate(
        str.maketrans("一二三四五六七八九十百千万", "壹贰叁肆伍陆柒捌玖拾佰仟萬")
    )
    if number > 99:
        forms["two"] = forms["chinese"].replace("二千", "两千").replace("二百", "两百").replace("二万", "两万")
    return forms


@given(st.integers(1, 99_999_999))
def test_a_number_is_found_in_every_form_with_its_value_and_measure(number: int) -> None:
    for form, text in written(number).items():
        if form == "capital" and len(text) < 2:
            continue  # a lone character such as 陆 is a word
        (found,) = find(f"现场共有{text}盏路灯。", MEASURES)
        assert (found.value, found.measure) == (Decimal(number), "盏"), form
        assert found == Figure(5, f"{text}盏", "number", Decimal(number), "盏")


@given(st.integers(0, 9_999), st.integers(0, 99))
def test_a_share_is_found_in_every_form(whole: int, part: int) -> None:
    value = Decimal(f"{whole}.{part:02d}")
    texts = [f"{value}%", f"{value}％".translate(WIDE), f"百分之{value}", f"{value} percent"]
    digits = "".join(NUMERALS[int(digit)] for digit in f"{part:02d}")
    texts.append(f"百分之{in_chinese(whole) if whole else '零'}点{digits}")
    for text in texts:
        (found,) = find(f"完成{text}。", MEASURES)
        assert (found.value, found.measure) == (value, SHARE), text


@given(st.text(max_size=60))
def test_every_figure_stands_where_it_says(text: str) -> None:
    for one in find(text, MEASURES):
        assert text[one.at - 1 :].startswith(one.text)
        assert one.text.strip() == one.text != ""


@pytest.mark.parametrize(
    ("text", "what", "value", "measure"),
    [
        ("一个半小时内", "一个半小时", "1.5", "小时"),
        ("半小时内", "半小时", "0.5", "小时"),
        ("24个小时", "24个小时", "24", "小时"),
        ("长约３．５米", "３．５米", "3.5", "米"),
        ("三点五米", "三点五米", "3.5", "米"),
        ("共200㎡", "200㎡", "200", "平方米"),
        ("一名工人", "一名", "1", None),
        ("一人受伤", "一人", "1", "人"),
        ("两个小区", "两个", "2", None),
        ("12 lamps", "12", "12", None),
        ("三万五", "三万五", "35000", None),
        ("一百二", "一百二", "120", None),
        ("二〇二六", "二〇二六", "2026", None),
    ],
)  # fmt: skip
def test_forms_of_their_own(text: str, what: str, value: str, measure: str | None) -> None:
    (found,) = find(text, MEASURES)
    assert (found.text, found.value, found.measure, found.kind) == (what, Decimal(value), measure, "number")


@pytest.mark.parametrize(
    ("text", "least", "below"),
    [("两千余户", 2000, 3000), ("20多户", 20, 30), ("十几户", 10, 20), ("几十户", 20, 100), ("数百户", 100, 1000),
     ("三四户", 3, 5), ("1.2万余户", 12_000, 13_000), ("百余户", 100, 200), ("千万余户", 10_000_000, 20_000_000),
     ("上百户", 100, 1000), ("超万户", 10_000, 100_000), ("近千户", 900, 1000), ("十几万户", 100_000, 200_000),
     ("230余万户", 2_300_000, 2_400_000), ("五百多亿户", 500 * 10**8, 600 * 10**8)],
)  # fmt: skip
def test_an_approximate_number_agrees_with_what_it_can_mean(text: str, least: int, below: int) -> None:
    (found,) = find(text, MEASURES)
    assert (found.value, found.below, found.measure) == (Decimal(least), Decimal(below), "户")
    assert found.agrees(Decimal(below - 1))
    assert not found.agrees(Decimal(below))


@pytest.mark.parametrize(
    "text",
    ["3月2日18时", "2026年3月2日18时30分", "3月2日", "二〇二六年三月", "2026年", "17时", "上午9点", "17:30", "三点半",
     "2026-03-02", "15日"],
)  # fmt: skip
def test_days_and_times_of_day(text: str) -> None:
    (found,) = find(f"预计{text}前恢复", MEASURES)
    assert found == Figure(3, text, "day")


WORDS = """
    一定 一起 万一 十分 第一时间 三峡 统一 一致 进一步 一些 一个小区 一般 千万 十三五规划 十八大 五一路
    第十二条 四号线 七年级 918路
    A3区 G107国道 GB18483-2001 长政办函〔2018〕9号 二次供水 一是停水 https://a.example/2026/3 0731-88880000
    2#线 陆续 上百货大楼 百姓 网上千家万户 近万众 以上百分
"""


@pytest.mark.parametrize("text", WORDS.split())
def test_words_and_names_are_no_figures(text: str) -> None:
    assert find(f"关于{text}的情况", MEASURES) == []


def test_the_marks_of_a_list_are_none() -> None:
    assert find("1、停水。2.停电\n（三）停气；四、其他", MEASURES) == []


def test_a_listed_telephone_may_stand_in_a_text() -> None:
    assert [one.text for one in find("请拨12345", MEASURES)] == ["12345"]
    assert find("请拨12345", MEASURES, {"12345"}) == []


@pytest.mark.parametrize("text", ["一百千", "十十", "百", "二三百万亿点", "零零十"])
def test_what_is_no_number_has_no_value(text: str) -> None:
    assert value_of(text) is None


@pytest.mark.parametrize(
    "text", ["1", "一", "百", "a", "一万", "第", "1月", "(1", "a-", "几百", "0,000", "百余", "上百", "十几万"]
)
def test_a_long_text_takes_no_longer_for_each_character(text: str) -> None:
    find(text * (20_000 // len(text)), MEASURES)
