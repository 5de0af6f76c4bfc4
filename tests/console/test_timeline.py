"""The course of a matter without script: days, kinds, folded rows, two axes step by step, and the proof of a record."""

import hashlib
import re
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

import orjson
import pytest
import pytest_asyncio

from schemas.catalogue import types
from services.console.matters import timeline
from services.console.matters.timeline import by_day, folded, steps
from services.console.page import Reader, environment
from tests.console.browser import HOME, Browser, Page
from tests.console.conftest import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")
OFFSET = re.compile(r"\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?([+-]\d\d:\d\d|Z)")


def item(actor: str, at: str) -> dict[str, object]:
    return {"event": {"actor": actor, "recordedtime": at, "time": at, "type": "huiying.incident.graded.v1"}}


async def test_what_the_system_did_between_two_acts_of_people_is_one_row() -> None:
    rows = folded([item("system", "1"), item("a@b", "2"), item("system", "3"), item("system", "4"), item("a@b", "5")])
    assert [len(row.items) for row in rows] == [1, 1, 2, 1]
    assert [row.is_folded for row in rows] == [False, False, True, False]
    assert by_day([], None) == []  # type: ignore[arg-type]


async def test_a_missed_limit_never_stands_folded_and_a_milestone_may() -> None:
    missed = {"event": {**item("system", "2")["event"], "type": timeline.MISSED}}  # type: ignore[dict-item]
    milestone = {"event": {**item("a@b", "4")["event"], "type": timeline.MILESTONE}}  # type: ignore[dict-item]
    rows = folded([item("system", "1"), missed, item("system", "3"), milestone, item("a@b", "5")])
    assert [len(row.items) for row in rows] == [1, 1, 2, 1]


async def test_the_types_that_a_timeline_tells_apart_are_events() -> None:
    assert {timeline.MISSED, timeline.MILESTONE} <= set(types())


async def test_the_steps_of_a_timeline_lead_from_record_to_record() -> None:
    moments = ["a", "b", "b", "c"]
    assert (steps(moments, None).earlier, steps(moments, None).later) == ("b", None)
    assert (steps(moments, "b").earlier, steps(moments, "b").later) == ("a", "c")
    before = steps(moments, "Z"[:0])
    assert (before.at, before.earlier, before.later) == (-1, None, "a")
    assert (steps([], None).earlier, steps([], None).later) == (None, None)


async def test_what_was_done_late_is_not_shown_as_done_in_time() -> None:
    reader = Reader("zh", ZoneInfo("Asia/Shanghai"), datetime(2026, 3, 2, tzinfo=UTC))
    shown = environment("zh").from_string("{% import 'macros.html' as m %}{{ m.limit(one, {}, reader) }}")
    done = {"clock": "triage", "state": "met", "due": "2026-03-01T01:45:00.000000Z"}
    late = shown.render(one=done | {"late": True, "late_by": 7200.0}, reader=reader)
    assert "▲" in late and "逾期完成，超了 2 小时" in late and "已办" not in late
    assert "✓" in shown.render(one=done | {"late": False, "late_by": None}, reader=reader)


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_what_was_deleted_is_said_in_the_language_of_the_page(language: Literal["zh", "en"]) -> None:
    reader = Reader(language, ZoneInfo("Asia/Shanghai"), datetime(2026, 3, 2, tzinfo=UTC))
    written = "{% import 'macros.html' as m with context %}{{ m.typed(text) }}{{ m.said({'text': text}) }}"
    shown = environment(language).from_string(written).render(text="[erased]", reader=reader)
    assert "[erased]" not in shown and shown.count({"zh": "删除", "en": "were "}[language]) == 2


Matter = tuple[Browser, Page, str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def a_matter(town: Town) -> Matter:
    """A browser of the desk, the page of a graded and assigned matter, and its address."""
    desk = await town.at("duty_officer@town-east")
    matter = await town.reported(desk, "人民路水管爆裂", "人民路漫水", place="人民路")
    own = matter.path.removeprefix(HOME)
    for verb, typed in (
        ("grade", {"level": "major", "reason": "停水影响三个小区"}),
        ("assign", {"unit": "county-water", "reason": "归口水利"}),
    ):
        await town.done(desk, f"{own}/triage/{verb}", **typed)
    await town.system.settle()
    return desk, await desk.open(own), own


async def test_a_timeline_says_times_and_titles_as_people_do_by_kind_and_instant(a_matter: Matter) -> None:
    desk, matter, own = a_matter
    whole = await desk.open(f"{own}/timeline")
    for page in (matter, whole):
        course = page.said.partition("经过")[2]
        assert not OFFSET.search(course), "no full offset is shown"
        assert "—" not in course, "no sentence says that it has nothing to say"
        assert "交县水利局办理" in course and "系统自动记录" in course
    kinds = {link.partition("kind=")[2] for link in whole.links if "kind=" in link}
    assert kinds == {"report", "incident", "clock", "statement", "press", "operation"}
    only = await desk.open(f"{own}/timeline?kind=report")
    assert "收到反映" in only.said and "定级：重大" not in only.said
    (earlier,) = re.findall(r'data-earlier href="([^"]+)"', whole.text)
    before = await desk.open(f"{own}/timeline{earlier.replace('&amp;', '&').partition('#')[0]}")
    (later,) = re.findall(r'data-later href="([^"]+)"', before.text)
    again = await desk.open(f"{own}/timeline{later.replace('&amp;', '&').partition('#')[0]}")
    assert again.said.count("原始记录") > before.said.count("原始记录")
    both = await desk.open(f"{own}/timeline?as_of=2026-01-02 09:00&known_at=2026-01-02 09:40")
    assert (
        "发生到 2026年1月2日 09:00，记录到 2026年1月2日 09:40" in both.said
        or "发生到 01-02 09:00，记录到 01-02 09:40" in both.said
    )
    unopened = await desk.open(f"{own}/timeline?known_at=2020-01-01 00:00")
    assert "那时还没有这样的记录" in unopened.said and "没有更早的记录" in unopened.said
    assert "data-later" in unopened.text
    assert "不是时间" in (await desk.open(f"{own}/timeline?as_of=25-25")).said
    for page in ("0", "99999999999999999999", "-1", "x"):
        assert (await desk.open(f"{own}/timeline?page={page}")).status == 200


async def test_a_matter_shows_its_latest_records_however_many_it_has(
    a_matter: Matter, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, _, own = a_matter
    monkeypatch.setattr(timeline, "AT_ONCE", 2)
    monkeypatch.setattr(timeline, "LONGEST", 2)
    assert "交县水利局办理" in (await desk.open(own)).said.partition("经过")[2]
    assert "只列出最早的 2 条" in (await desk.open(f"{own}/timeline")).said


async def test_what_a_form_carries_of_its_opening_is_read_though_it_was_altered(town: Town) -> None:
    desk = await town.at("duty_officer@town-east")
    own = (await town.reported(desk, "路灯不亮", place="和平街")).path.removeprefix(HOME)
    page = await desk.open(f"{own}/triage/grade")
    for was in ("[" * 100_000, "9" * 5_000, '{"level": {"a": 1}}', "[]", '"x"', '{"level": NaN}', "x"):
        typed = {"form.version": "99", "form.was": was, "form.opened": "9999-12-31T23:59:59.999999Z"}
        answer = await desk.send(page, f"{own}/triage/grade", **typed, level="major", reason="停水")
        assert answer.status == 412 and "停水" in answer.text


def _matching(page: Page) -> int:
    """How many digests a record's page found to match. The proof by the log follows, once the log has been signed."""
    return page.said.partition("收录证明")[0].count("相符")


async def test_a_record_says_when_those_beside_it_were_not_read(
    a_matter: Matter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream is read page by page, up to a limit, and what was not read is not said to be missing."""
    desk, _, own = a_matter
    whole = await desk.open(f"{own}/timeline")
    proofs = dict.fromkeys(link.removeprefix(HOME) for link in whole.links if "/events/" in link)
    (graded,) = [path for path in proofs if "定级：重大" in (await desk.open(path)).said]
    monkeypatch.setattr(timeline, "AT_ONCE", 1)
    assert _matching(await desk.open(graded)) == 3
    monkeypatch.setattr(timeline, "LONGEST", 0)
    page = await desk.open(graded)
    said = page.said
    assert "没有读到上一条记录" in said and "没有读到下一条记录" in said and _matching(page) == 1
    assert "最新一条" not in said and "看不到" not in said


async def test_a_record_is_one_click_away_with_what_proves_it(town: Town, a_matter: Matter) -> None:
    desk, _, own = a_matter
    proofs = [link for link in (await desk.open(f"{own}/timeline")).links if "/events/" in link]
    shown = [await desk.open(link.removeprefix(HOME)) for link in dict.fromkeys(proofs)]
    assert all(page.status == 200 for page in shown)
    graded = next(page for page in shown if "定级：重大" in page.said)
    assert _matching(graded) == 3, "its own digest, that of the record before, and that in the record after"
    assert "不符" not in graded.said
    (raw,) = [link for link in graded.links if link.endswith("/raw")]
    saved = await desk.client.get(raw)
    (digest,) = re.findall(r"SHA-256</code></dt><dd><code>([0-9a-f]{64})", graded.text)
    assert hashlib.sha256(saved.content).hexdigest() == digest
    assert "attachment" in saved.headers["content-disposition"]
    assert orjson.loads(saved.content)["type"] == "huiying.incident.graded.v1"
    stranger = await town.at("duty_officer@town-west")
    assert (await stranger.open(raw.removeprefix(HOME))).status in (403, 404)
    assert (await desk.open("/events/01890a5d-b2a1-7cc0-9d2e-4f6a8b0c1d2e")).status == 404


async def test_a_matter_says_why_it_has_its_level_with_clause_and_quotation(a_matter: Matter) -> None:
    _, matter, _ = a_matter
    assert "停水影响三个小区" in matter.said and "東镇" not in matter.said
    assert "文件明文" in matter.said and "原文第157行 三 分类" in matter.said and "點擊率1000-2999人次" in matter.said
    assert "规则没有建议等级" in matter.said or "规则按现有事实建议" in matter.said
    assert re.search(r'data-due="\d{4}-', matter.text), "a limit can count on"


async def test_a_head_of_a_page_is_answered_as_the_page(a_matter: Matter) -> None:
    desk, _, own = a_matter
    for path in ("/inbox", own):
        head, whole = await desk.client.head(HOME + path), await desk.client.get(HOME + path)
        assert (head.status_code, head.content) == (200, b"") and head.headers.keys() == whole.headers.keys()


async def test_a_fact_is_established_twice_though_its_field_is_named_like_a_part_of_the_form(town: Town) -> None:
    desk, verifier = await town.at("duty_officer@town-east"), await town.at("verifier@county-water")
    own = (await town.reported(desk, "井盖缺失", place="幸福里")).path.removeprefix(HOME)
    await town.done(desk, f"{own}/triage/request-verification", unit="county-water")
    for value in ("被盗", "被车压坏"):
        await town.done(verifier, f"{own}/triage/establish-fact", key="cause", value=value, source="现场查看")
    assert "被盗" in (page := await desk.open(own)).said and "被车压坏" in page.said
