"""Reviews over HTTP: the draft that the record gives, its text on both axes, adoption, lessons, and its erasure."""

import asyncio
import io
import signal
import sys
import zipfile
from datetime import timedelta
from typing import Any

import docx
import pytest
from pypdf import PdfReader

from schemas import ingest as i
from schemas import offices as o
from schemas import triage as t
from schemas.fields import instant
from services.audit import queries
from services.audit.findings import loop as judging
from services.audit.findings.matter import Placed
from services.audit.review import charts, filed, printing, seen
from services.audit.review import loop as drafting
from services.audit.review import seen as reviewing
from services.audit.review.course import Course
from services.audit.review.document import Block, Document, Part, Table
from services.audit.review.streams import review_of
from tests.audit import test_findings
from tests.audit.matter import COUNTY, TOWN, Matter, at
from tests.audit.reviewed import ask, done, draft, drafted_until, handled, sent
from tests.audit.test_findings import settle, with_packs
from tests.audit.world import World, id_of, words

world, either = test_findings.world, test_findings.either


async def read(world: World, matter: Matter, reader: str = "city", status: int = 200, **params: Any) -> Any:
    return await world.get(f"incidents/{matter.id}/review", reader, status, **params)


async def test_a_draft_reads_of_a_matter_only_what_moved_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    matter = handled()
    await settle(world, matter)
    read, known = list[Any](), reviewing.placed
    monkeypatch.setattr(reviewing, "placed", lambda *given: read.append(known(*given)) or read[-1])
    await draft(world)
    assert len(read) < len(await world.rows("timeline", "position")) / 4
    assert {type(one.data) for one in read} == {t.IncidentOpened, t.IncidentResolved}
    monkeypatch.undo()
    assert (await world.get(f"incidents/{matter.id}/review"))["unit"] == TOWN


def cells(answer: Any, title: str) -> list[list[str]]:
    part = next(one for one in answer["parts"] if one["title"] == title)
    rows: list[list[str]] = part["table"]["rows"]
    return rows


@pytest.mark.requirement("AUD-04")
async def test_when_a_matter_is_steady_its_review_is_drafted_from_the_record(either: World) -> None:
    matter = handled()
    await draft(either, matter)
    said = await read(either, matter, lang="zh")
    assert (said["state"], said["edition"], said["unit"], said["words"]) == ("drafted", 1, TOWN, None)
    assert [(one["cause"], one["by"]) for one in said["editions"]] == [("steady", None)]
    for sentence in (
        f"{TOWN}于 2026-03-02 17:00 获知此事",
        "自 2026-03-02 至 2026-03-04 共收到反映 7 件，最多的一天是 2026-03-03，3 件。",
        "点击 21000、评论 450",
        "按时完成 1 项，逾期完成 1 项",
        "共发布 1 份说明",
        "成立的认定有 1 项",
    ):
        assert sentence in said["text"]
    english = await read(either, matter, lang="en")
    assert "From 2026-03-02 to 2026-03-04, 7 report(s) came in" in english["text"]
    assert cells(english, "Spread") == [["2026-03-02", "2"], ["2026-03-03", "3"], ["2026-03-04", "2"]]
    decisions = {row[1]: row[3] for row in cells(english, "Decisions and their rules")}
    assert decisions["graded major"].startswith("clicks (county-default@2)\n")
    assert "line 157 of the text 三 分类" in decisions["graded major"]
    (missed,) = [row for row in cells(english, "Time limits") if row[4] == "met late"]
    assert (missed[0], missed[5].splitlines()[0]) == ("public statement", "public statement (county-default@2)")
    assert [row[1] for row in cells(english, "Statements")] == ["关于道路的说明"]
    assert [row[1] for row in cells(english, "What was changed")] == ["regraded from major to general"]
    (finding,) = cells(english, "Findings that stand")
    assert "did not answer" in finding[1]
    assert finding[2].splitlines()[0] == "public statement (county-default@2)"
    charts = [one["title"] for part in english["parts"] for one in part["charts"]]
    assert charts == ["The course of the matter", "Reports by day", "Reach", "Time limits"]
    timeline = (await either.get(f"incidents/{matter.id}/timeline"))["items"]
    assert timeline[-1]["summary"] == "a review was drafted, edition 1 (steady)"


async def test_what_is_late_changes_no_earlier_answer(world: World) -> None:
    matter = handled()
    await draft(world, matter)
    before = await read(world, matter)
    await done(world, matter, "edit-review", {"text": "# 经过\n\n我办认为首次说明偏迟。"}, "duty_officer")
    now = await read(world, matter)
    assert (now["state"], now["edition"], now["text_language"]) == ("edited", 2, "zh")
    assert now["text"] == "# 经过\n\n我办认为首次说明偏迟。"
    same = await read(world, matter, log_size=before["log_size"])
    moving = ("version", "revision", "may")
    assert {**same, **dict.fromkeys(moving)} == {**before, **dict.fromkeys(moving)}
    world.now += timedelta(minutes=1)
    assert (await read(world, matter, edition=1))["text"] == before["text"]
    await read(world, matter, status=404, edition=9)
    await read(world, matter, status=404, known_at=instant(at(60)))


async def test_a_matter_that_goes_on_has_no_review_and_one_of_an_exercise_is_marked(world: World) -> None:
    going, drill = handled("going", ends=False), Matter("drill", drill=True).known()
    drill.add(9, t.IncidentClosed(reason=words("r")), unit=TOWN)
    await draft(world, going, drill)
    said = await read(world, going, status=404)
    assert said["type"] == "urn:huiying:problem:review-not-drafted"
    assert (await read(world, drill))["drill"] is True


@pytest.mark.parametrize(("failpoint", "kept"), [("command.before_commit", 0), ("command.committed", 1)])
async def test_a_kill_between_a_draft_and_its_position_leaves_both_or_neither(
    either: World, failpoint: str, kept: int
) -> None:
    matter = handled()
    await settle(either, matter)
    await either.runtime.database.close()
    assert await asyncio.to_thread(drafted_until, either.folder, either.database, failpoint) == -signal.SIGKILL
    await either.restart()
    with_packs(either)
    events = [row for row in await either.rows("events", "stream_id") if row[0].startswith("review-")]
    assert len(events) == len(await either.rows("judged")) - 1 == kept
    await draft(either)
    assert [one["edition"] for one in (await read(either, matter))["editions"]] == [1]


async def test_a_draft_waits_until_the_findings_on_its_matter_have_come_back(world: World) -> None:
    matter = handled()
    await world.send(*matter.events)
    for _ in range(2):
        await world.take()
    world.now += timedelta(minutes=1)
    await judging.settle(world.runtime)
    await drafting.settle(world.runtime)
    assert [row for row in await world.rows("events", "stream_id") if row[0].startswith("review-")] == []
    await draft(world)
    assert "成立的认定有 1 项" in (await read(world, matter, lang="zh"))["text"]


@pytest.mark.requirement("AUD-04")
async def test_the_leader_adopts_what_was_read_and_signs_for_the_written_report(world: World) -> None:
    matter = handled()
    await draft(world, matter)
    seen = await read(world, matter, TOWN)
    stale = await ask(world, matter, "adopt-review", {"edition": 1}, "chief", version=5)
    assert stale.status_code == 412
    await done(world, matter, "adopt-review", {"edition": 1})
    said = await read(world, matter, lang="en")
    assert (said["state"], said["edition"], said["adopted"], said["text"]) == ("adopted", 2, 2, seen["text"])
    assert said["editions"][1]["adopted_by"] == "chief@town-east"
    sent(matter, review_of(matter.id), 2)
    await settle(world, matter)
    (report,) = (await read(world, matter))["sent"]
    assert (report["edition"], report["to"], report["receipt"]["by"]) == (
        2, "principal_leader@town-east", "chief@town-east",
    )  # fmt: skip


async def test_who_has_no_part_reads_no_review_and_may_shows_what_the_caller_can_do(world: World) -> None:
    matter = handled()
    await draft(world, matter)
    await read(world, matter, "town-west", 403)
    assert (await ask(world, matter, "edit-review", {"text": "x"}, "chief", "town-west")).status_code == 403
    async with world.client(TOWN, "chief") as client:
        answer = await client.get(f"/audit/v1/incidents/{matter.id}/review")
    assert answer.json()["may"] == ["edit-review", "adopt-review", "convene-evaluation", "assign-lesson"]


@pytest.mark.requirement("AUD-16")
async def test_lessons_are_listed_until_they_are_done_and_say_when_they_are_overdue(either: World) -> None:
    matter = handled()
    await draft(either, matter)
    due = either.now + timedelta(days=10)
    body = {"kind": "service", "unit": TOWN, "post": f"handler@{TOWN}", "text": "每周巡查", "due": due.isoformat()}
    for text in ("每周巡查", "增设照明"):
        await done(either, matter, "assign-lesson", {**body, "text": text})
    listed = await either.get("lessons", TOWN)
    assert [(one["text"], one["state"], one["overdue"]) for one in listed["items"]] == [
        ("每周巡查", "open", False), ("增设照明", "open", False),
    ]  # fmt: skip
    first = await either.get("lessons", TOWN, limit=1)
    second = await either.get("lessons", TOWN, limit=1, cursor=first["next"])
    assert [*first["items"], *second["items"]] == listed["items"]
    assert second["next"] is None
    either.now = due + timedelta(minutes=1)
    # The same question has the same answer, however late it is asked.
    for before in ({"log_size": listed["log_size"]}, {"as_of": instant(due - timedelta(days=1))}):
        again = await either.get("lessons", TOWN, **before)
        assert [one["overdue"] for one in again["items"]] == [False, False]
        assert [one["overdue"] for one in (await read(either, matter, **before))["lessons"]] == [False, False]
    await done(either, matter, "follow-up-lesson", {"lesson": 1, "text": "已排定"}, "handler")
    await done(either, matter, "finish-lesson", {"lesson": 1, "text": "已实行"}, "handler")
    (late,) = (await either.get("lessons", COUNTY, overdue=True))["items"]
    assert (late["text"], late["incident_id"]) == ("增设照明", matter.id)
    (ended,) = (await either.get("lessons", state="done"))["items"]
    assert (ended["ended_text"], [note["text"] for note in ended["followed_up"]]) == ("已实行", ["已排定"])
    assert (await either.get("lessons", "town-west"))["items"] == []
    assert (await either.get("lessons", TOWN, log_size=listed["log_size"]))["items"][0]["state"] == "open"


@pytest.mark.requirement("AUD-04")
async def test_it_prints_with_chinese_and_charts_and_words_that_were_erased_are_gone(world: World) -> None:
    matter = handled()
    await draft(world, matter)
    text = "# 经过\n\n我办<b>认为</b>首次说明偏迟。\n\n- 其一\n- 其二\n"
    await done(world, matter, "edit-review", {"text": text, "english": "# Course\n\nIt came late."}, "duty_officer")
    path = f"incidents/{matter.id}/review"
    page = (await world.raw(f"{path}.html", lang="zh")).decode()
    assert '<html lang="zh-Hans">' in page
    assert "<p>我办&lt;b&gt;认为&lt;/b&gt;首次说明偏迟。</p>" in page
    assert page.count("<svg") == 4
    assert "It came late." in (await world.raw(f"{path}.html", lang="en")).decode()
    assert "首次说明偏迟" in printed(await world.raw(f"{path}.pdf", lang="zh"))
    document = docx.Document(io.BytesIO(await world.raw(f"{path}.docx", lang="zh")))
    assert any("首次说明偏迟" in one.text for one in document.paragraphs)
    assert len(document.inline_shapes) == 4
    assert len(document.tables) == 6
    ref = (await read(world, matter, lang="zh"))["words"]
    await erase(world, matter, ref)
    assert "[erased]" in (await read(world, matter, lang="zh"))["text"]
    assert "偏迟" not in (await world.raw(f"{path}.html", lang="zh")).decode()
    assert "偏迟" not in printed(await world.raw(f"{path}.pdf", lang="zh"))
    with zipfile.ZipFile(io.BytesIO(await world.raw(f"{path}.docx", lang="zh"))) as archive:
        assert "偏迟" not in archive.read("word/document.xml").decode()


def test_characters_that_xml_lacks_are_replaced_in_print() -> None:
    odd = "a\x0bb\x1fc\ufffed\te\U0001f6a7"
    part = Part(odd, table=Table((odd, odd), ((odd, odd),)), nothing=odd)
    report = Document(
        "zh", odd, odd, ((odd, odd),), odd, (Block("item", odd),), "zh", odd, (part,), ((odd, odd),), note=odd
    )
    made = docx.Document(io.BytesIO(printing.docx(report)))
    texts = [one.text for one in (*made.paragraphs, *made.tables[0].rows[1].cells)]
    assert sum("a\ufffdb\ufffdc\ufffdd\te\U0001f6a7" in text for text in texts) == 12
    assert "\x0b" not in printing.html(report)


def test_reach_is_the_newest_of_each_report_added_up() -> None:
    matter = Matter("wide").known()
    clicks = [(n % 7, n * 37 % 100) for n in range(400)]
    for n, (report, number) in enumerate(clicks):
        measured = i.ReportReachMeasured(clicks=number, comments=n if report == 3 else None, measured_at=at(n / 10))
        matter.add(n / 10, measured, stream=id_of("report", str(report)), unit=TOWN)
    events = tuple(Placed(n, event, event.data) for n, event in enumerate(matter.events))
    reach = Course(matter.id, events).reach
    latest = dict[int, int]()
    for found, (report, number) in zip(reach, clicks, strict=True):
        latest[report] = number
        assert found.counts["clicks"] == sum(latest.values())
    assert "comments" not in reach[0].counts
    drawn = charts.steps("a", "b", [charts.Series("c", tuple((one.at, one.counts["clicks"]) for one in reach))], "de")
    assert drawn.count("<circle") == charts.POINTS


def test_reach_takes_no_longer_for_each_report() -> None:
    def counted(number: int) -> int:
        """How many functions are called for so many reports."""
        matter, calls = Matter("wide").known(), 0
        for n in range(number):
            measured = i.ReportReachMeasured(clicks=n, measured_at=at(n / 100))
            matter.add(n / 100, measured, stream=id_of("report", str(n)), unit=TOWN)
        course = Course(matter.id, tuple(Placed(n, event, event.data) for n, event in enumerate(matter.events)))

        def count(*_: object) -> None:
            nonlocal calls
            calls += 1

        sys.setprofile(count)
        try:
            assert len(course.reach) == number
        finally:
            sys.setprofile(None)
        return calls

    assert counted(400) < 3 * counted(200)


def printed(paper: bytes) -> str:
    return "".join(page.extract_text() for page in PdfReader(io.BytesIO(paper)).pages).replace("\n", "")


async def erase(world: World, matter: Matter, ref: str) -> None:
    """A leader of the town asks for it, and one above agrees."""
    body = {"stream": review_of(matter.id), "refs": [ref], "cause": "asked", "reason": "本人申请"}
    for unit, more in ((TOWN, body), (COUNTY, body)):
        async with world.client(unit, "chief") as client:
            answer = await client.post("/audit/v1/words/erase", json=more)
        assert answer.status_code in (200, 201), answer.text
    for _ in range(2):
        await world.take()


@pytest.mark.requirement("AUD-06")
@pytest.mark.requirement("AUD-16")
async def test_a_change_of_the_pack_is_settled_by_the_version_that_answers_its_proposal(world: World) -> None:
    matter, stream = handled(), id_of("policy", "packs")
    proposal = o.PolicyLessonRecorded(
        lesson=7,
        incident=matter.id,
        unit=TOWN,
        pack="county-default",
        version="2",
        text=words("t"),
        change=words("c"),
    )
    loaded = o.PolicyPackLoaded(
        pack="county-default",
        version="3",
        digest="1" * 64,
        canonical="{}",
        effective_from=at(0),
        lessons=(7,),
    )
    others = proposal.model_copy(update={"lesson": 6, "incident": id_of("incident", "others")})
    earlier = loaded.model_copy(update={"version": "2", "lessons": (6,)})
    for fact in (others, earlier, proposal):
        await world.send(world.event("triage", stream, fact))
    await draft(world, matter)
    due = (world.now + timedelta(days=10)).isoformat()
    owner = {"kind": "pack", "unit": TOWN, "post": f"handler@{TOWN}", "text": "提前首次说明", "due": due}
    unknown = await ask(world, matter, "assign-lesson", {**owner, "numbered": 8}, "chief")
    assert (unknown.status_code, unknown.json()["type"]) == (422, "urn:huiying:problem:lesson-unknown")
    await done(world, matter, "assign-lesson", {**owner, "numbered": 7})
    ticked = await ask(world, matter, "finish-lesson", {"lesson": 1, "text": "x"}, "chief")
    assert ticked.json()["type"] == "urn:huiying:problem:lesson-of-pack"
    before = (await read(world, matter))["log_size"]
    again = loaded.model_copy(update={"version": "4", "lessons": (6,)})
    for fact in (loaded, again):
        await world.send(world.event("triage", stream, fact))
    await draft(world)
    (settled,) = (await read(world, matter))["lessons"]
    assert (settled["state"], settled["answered_by"]) == ("done", "county-default@3")
    (open_,) = (await read(world, matter, log_size=before))["lessons"]
    assert open_["state"] == "open"
    async with world.runtime.database.read() as connection:
        found = await seen.proposals(connection, queries.Axes(10**6), [matter.id])
    assert found == ({7: matter.id}, {7: "done"}, {7: "county-default@3"}), "without those of others"


@pytest.mark.requirement("AUD-02")
async def test_the_sealed_file_has_the_review_and_its_words_stand_apart(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    matter = handled()
    await draft(world, matter)
    await done(world, matter, "edit-review", {"text": "首次说明偏迟"}, "duty_officer")
    ref = (await read(world, matter, lang="zh"))["words"]
    courses, course = list[int](), seen.course

    async def counted(connection: Any, incident: str, axes: queries.Axes, offices: Any) -> Any:
        courses.append(axes.size)
        return await course(connection, incident, axes, offices)

    monkeypatch.setattr(seen, "course", counted)
    async with world.runtime.database.read() as connection:
        size, _ = await queries.head(connection)
        pages = await filed.pages(world.runtime, connection, matter.id, size)
        assert await filed.pages(world.runtime, connection, id_of("incident", "none"), size) == {}
    assert len(courses) == len(set(courses)) == 2, "the record is read once for both languages"
    assert list(pages) == ["data/review.zh.html", "data/review.en.html"]
    for page in pages.values():
        assert f"words/{ref}.txt" in page.decode()
        assert "偏迟" not in page.decode()
        assert "<svg" in page.decode()


async def test_a_report_that_left_is_not_told_of_a_matter(world: World) -> None:
    with_packs(world)
    matter, other = handled(ends=False), id_of("report", "other")
    before = at(-24 * 30)
    received = i.ReportReceived(
        unit=TOWN, channel="board", discovered_at=before, subject=words("o"), text=words("o"), receipt="1" * 64
    )
    matter.add(21, received, stream=other, unit=TOWN)
    matter.add(21, t.IncidentReportAttached(report=other, unit=TOWN, discovered_at=before), unit=TOWN)
    reach = i.ReportReachMeasured(clicks=1_000_000, comments=5, measured_at=at(22))
    matter.add(22, reach, stream=other, unit=TOWN)
    matter.add(23, t.IncidentSplit(into=id_of("incident", "another"), reports=(other,)), unit=TOWN)
    matter.add(60, t.IncidentResolved(reason=words("r")), unit=TOWN, actor="chief@town-east")
    await draft(world, matter)
    told = (await world.raw(f"incidents/{matter.id}/review", lang="zh")).decode()
    assert "收到反映 7 件" in told and "1006000" not in told and "2026-01-31" not in told
    assert "拆分至" in told, "that it left is told"
