"""How often the unit that the nearest earlier matters suggest is the one that answered, on real answered messages.

Each message is compared with those that were answered before it. Which office answered is read from the answer: the
first office that it names. Answers that name none are left out of the figures.
"""

import json
import re
from collections import Counter
from datetime import datetime
from pathlib import Path

from benchmarks.matching import Message, triage
from benchmarks.measure import Figure
from schemas.fields import instant
from services.triage.alike.suggesting import FROM, NEAREST, most

REPLIED = Path(__file__).resolve().parents[2] / "shared" / "data" / "replied.jsonl"
AGREED = 5
"""From so many of the nearest on, a suggestion counts as a clear one."""
OFFICES = {
    "traffic_police": "交警|交通警察",
    "police": "公安|派出所|警方",
    "education": "教育局|教育体育局|教体局|教育部门|教育厅|招生办|考试院",
    "transport": "交通运输|交通局|运管|运输管理|公交公司|公路局|公路管理|地铁|轨道交通",
    "city_management": "城管|城市管理|行政执法局|环卫|市容",
    "planning_and_land": "规划局|国土|自然资源|规划部门",
    "housing": "住建|住房|房产|房管|建设局|住保|公积金|质监站|棚改|征收办",
    "environment": "环保|生态环境|环境保护",
    "labour": "人社|人力资源|社会保险|社保局|劳动监察|医保|医疗保障",
    "health": "卫生局|卫计|卫健|卫生和|疾控|卫生健康",
    "civil_affairs": "民政|残联|退役军人",
    "water": "水务|水利|自来水|供水|排水",
    "power_and_gas": "电力|供电|电业|国网|燃气",
    "market": "市场监督|市场监管|工商|食药|食品药品|质监局|物价|市监",
    "agriculture": "农业|林业|畜牧|农委|农村局",
    "culture": "文旅|文化|旅游|广电|文体",
    "finance": "财政|税务|国税|地税|金融办",
    "economy": "发改|发展和改革|经信|工信|商务局",
    "town": "街道办|镇政府|乡政府|镇人民政府|乡人民政府|我镇|我乡|社区居委",
    "park": "经开区|高新区|管委会",
}
"""Kind of office -> how answers name it."""
_NAMES = {office: re.compile(names) for office, names in OFFICES.items()}


def office_of(reply: str) -> str | None:
    """The first office that an answer names."""
    found = [(named.start(), office) for office, names in _NAMES.items() if (named := names.search(reply))]
    return min(found)[1] if found else None


async def measure(runs: int) -> list[Figure]:
    """The share of right suggestions, of clear ones, and of always naming the office that answers most."""
    if not REPLIED.exists():
        return []
    rows = sorted(map(json.loads, REPLIED.read_text("utf-8").splitlines()), key=lambda one: one["submitted_at"])
    seen, told, right, clear, clear_right, usual = Counter[str](), 0, 0, 0, 0, 0
    async with triage("SQLite") as known:
        for row in rows:
            office, at = office_of(row["reply"]), instant(datetime.fromisoformat(row["submitted_at"]))
            one = Message(row["external_id"], row["external_id"], row["title"], row["body"], at, assigned=office)
            near = await known.ask(one, NEAREST, FROM)
            suggested = most([each.row["assigned"] for each in near])
            if office and suggested:
                told += 1
                right += suggested["code"] == office
                usual += seen.most_common(1)[0][0] == office
                if suggested["having"] >= AGREED:
                    clear += 1
                    clear_right += suggested["code"] == office
            seen.update([office] if office else [])
            await known.add([one])
    answered = f"of {told:,} answered messages"
    return [
        Figure(f"the suggested unit answered, {answered}", "%", 100 * right / max(told, 1), 50, at_least=True),
        Figure(
            f"the same where {AGREED} of 10 agree, {clear:,}", "%", 100 * clear_right / max(clear, 1), 75, at_least=True
        ),
        Figure("for comparison: the most usual unit answered", "%", 100 * usual / max(told, 1), 100),
    ]
