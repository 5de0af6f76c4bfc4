"""Similar matters are ranked and offered, on both databases; a person decides. The index holds what the words hold."""

import asyncio
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from schemas.envelope import Event
from schemas.ingest import ReportErased, ReportReceived
from services.ingest.commands import Report
from services.ingest.recognition import match_key
from services.kernel.core.ids import derived
from services.kernel.core.lists import Lists
from services.kernel.store import word_index
from services.triage.alike import search, similar
from services.triage.alike.tokens import commonness, cosine, document, shared, vector
from services.triage.views import SAID
from tests.kit.plans import asked as asked_of
from tests.kit.plans import plans
from tests.triage.conftest import Triage, words

LAMP = ("卫生院门前路灯不亮", "卫生院门前的路灯已经四天不亮，晚上看病的人走路不安全。")
LAMP_AGAIN = ("路灯坏了没人修", "卫生院门前那排路灯四天了还是不亮，老人晚上看病走路很不安全。")
WATER = ("小区停水两天", "东门小区自来水停了两天，没有通知，居民做饭都成问题。")


@pytest.fixture(params=["triage", pytest.param("triage_on_postgres", marks=pytest.mark.postgres)])
def desk(request: pytest.FixtureRequest) -> Triage:
    """Triage on both databases, one after the other."""
    made: Triage = request.getfixturevalue(request.param)
    return made


def report(desk: Triage, said: tuple[str, str], unit: str = "town-east", **more: Any) -> Event:
    """A report with these words, which are not there yet."""
    event = desk.report(f"{unit} {said[0]} {more}", unit=unit, drill=more.pop("drill", False))
    data: ReportReceived = event.data
    told = data.model_copy(update={"subject": words(said[0]), "text": words(said[1])})
    if place := more.get("place"):
        told = told.model_copy(update={"place": words(place)})
    desk.streams.pop(event.stream)
    return desk.event(event.stream, told, service="ingest", unit=unit, drill=event.drill)


async def opened(desk: Triage, said: tuple[str, str], unit: str = "town-east", *, say: bool = True, **more: Any) -> str:
    """The incident of a report with these words."""
    event = report(desk, said, unit, **more)
    if say:
        known = await heard(desk)
        here = (more["place"],) if "place" in more else ()
        await desk.say(*(one for one in (*said, *here) if one not in known))
    await desk.take(event)
    [item] = (await desk.get("incidents", "city", report_id=event.stream)).json()["items"]
    return str(item["id"])


async def heard(desk: Triage) -> set[str]:
    async with desk.runtime.database.read() as connection:
        return set((await connection.execute(text("select words from contents"))).scalars())


async def offered(desk: Triage, id_: str, unit: str = "town-east") -> dict[str, Any]:
    answer = await desk.get(f"incidents/{id_}/similar", unit)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def asked(desk: Triage, said: tuple[str, str], unit: str = "town-east", **more: Any) -> Any:
    body = {"unit": unit, "subject": said[0], "text": said[1], **more}
    return await desk.client.post("/triage/v1/similar", json=body, headers=desk.token("duty_officer", unit))


async def test_the_same_matter_in_other_words_is_offered_first_with_the_words_that_it_shares(desk: Triage) -> None:
    lamp, _, again = await opened(desk, LAMP), await opened(desk, WATER), await opened(desk, LAMP_AGAIN)
    [first, *rest] = (await offered(desk, again))["items"]
    assert first["incident_id"] == lamp
    assert first["score"] > 2 * max((item["score"] for item in rest), default=0)
    assert "卫生院门前" in first["shared"]
    assert first["decided"] is None


@pytest.mark.parametrize(("here", "there"), [("东风路", "解放路"), ("东风路", None)])
async def test_the_same_subject_at_another_place_joins_nothing_by_itself_and_is_offered(
    desk: Triage, here: str, there: str | None
) -> None:
    await desk.say(*LAMP, "东风路", "解放路")
    found = []
    for number, place in enumerate((here, there, here, there)):
        event = report(desk, LAMP, place=place, name=str(number))
        told = Report(
            unit="town-east",
            channel="board",
            subject=LAMP[0],
            text=LAMP[1],
            place=place,
            discovered_at=event.data.discovered_at,
        )
        key = match_key(told, told, Lists(), lambda *parts: sha256(repr(parts).encode()).hexdigest())
        data = event.data.model_copy(update={"match_key": key})
        desk.streams.pop(event.stream)
        await desk.take(desk.event(event.stream, data, service="ingest"))
        [item] = (await desk.get("incidents", "city", report_id=event.stream)).json()["items"]
        found.append(item["id"])
    assert found == [found[0], found[1]] * 2
    assert found[0] != found[1]
    for one, other in ((found[0], found[1]), (found[1], found[0])):
        assert (await offered(desk, one))["items"][0]["incident_id"] == other
        assert (await desk.get(f"incidents/{one}")).json()["report_count"] == 2


async def test_what_is_said_of_a_unit_beside_is_not_offered_and_a_unit_above_only_has_something(desk: Triage) -> None:
    await opened(desk, LAMP, "county")
    await opened(desk, (LAMP[0], LAMP[1] + "请看看"), "town-west")
    again = await opened(desk, LAMP_AGAIN)
    assert await offered(desk, again) == {"items": [], "above": ["county"]}
    done = await desk.ask(again, "offer", {"to": "county", "reason": "县里有类似事项"}, role="duty_officer")
    assert done.status_code == 200, done.text
    assert (await desk.kinds(again))[-1] == "offered"
    assert (await desk.ask(again, "offer", {"to": "county"}, role="chief")).json()["type"].endswith("already-offered")
    wrong = await desk.ask(again, "offer", {"to": "town-west"}, role="chief")
    assert (wrong.status_code, wrong.json()["known"]) == (409, ["county", "city"])


@pytest.mark.parametrize("of_one_matter", [True, False])
async def test_near_copies_hide_no_other_matter(desk: Triage, of_one_matter: bool) -> None:
    lamp = await opened(desk, LAMP)
    told = "卫生院门前的路灯又坏了，晚上看病的老人走路很不安全，请尽快维修。第{}次"
    copies = [("卫生院门前路灯又不亮了", told.format(number)) for number in range(100 if of_one_matter else 270)]
    await desk.say(copies[0][0], *(words for _, words in copies))
    events = [report(desk, said, name=str(number)) for number, said in enumerate(copies)]
    if of_one_matter:
        one = [(event.stream, event.data.model_copy(update={"match_key": "a" * 64})) for event in events]
        desk.streams.clear()
        events = [desk.event(stream, data, service="ingest") for stream, data in one]
    await desk.take(*events)
    again = await opened(desk, LAMP_AGAIN)
    found = (await desk.get(f"incidents/{again}/similar", "town-east", limit=20)).json()["items"]
    assert lamp in [item["incident_id"] for item in found]


async def test_a_person_decides_and_both_sides_show_it(desk: Triage) -> None:
    lamp, again = await opened(desk, LAMP), await opened(desk, LAMP_AGAIN)
    body = {"to": lamp, "kind": "part", "reason": "同一路段"}
    done = await desk.ask(again, "link", body, role="duty_officer", unit="town-east")
    assert done.status_code == 200, done.text
    for one, other in ((again, lamp), (lamp, again)):
        assert [(i["incident_id"], i["decided"]) for i in (await offered(desk, one))["items"]] == [(other, "part")]
    repeated = await desk.ask(again, "link", body, role="duty_officer")
    assert repeated.json()["type"].endswith("already-linked")
    later = await desk.ask(lamp, "link", {**body, "to": again, "kind": "same"}, role="chief")
    assert later.status_code == 200, later.text
    assert (await offered(desk, again))["items"][0]["decided"] == "same"
    assert (await desk.ask(lamp, "link", {**body, "to": lamp}, role="chief")).status_code == 409
    stale = await desk.ask(lamp, "link", {**body, "to": again, "kind": "other"}, role="chief", version=0)
    assert stale.status_code == 412


async def test_nothing_is_linked_to_a_matter_that_the_caller_may_not_read(desk: Triage) -> None:
    here, there = await opened(desk, LAMP), await opened(desk, WATER, "town-west")
    for unknown in (there, f"incident-{derived('nobody')}"):
        body = {"to": unknown, "kind": "other", "reason": "r"}
        answer = await desk.ask(here, "link", body, role="chief", unit="town-east")
        assert answer.status_code == 404
    assert (await desk.get(f"incidents/{there}/similar", "town-east")).status_code == 404
    forbidden = await desk.ask(here, "link", {"to": there, "kind": "other", "reason": "r"}, role="handler")
    assert forbidden.status_code == 403


async def test_a_unit_that_only_works_on_a_matter_is_offered_none_of_the_others_of_the_accountable_unit(
    desk: Triage,
) -> None:
    lamp, again = await opened(desk, LAMP), await opened(desk, LAMP_AGAIN)
    assert (await desk.ask(again, "assign", {"unit": "county-roads"}, role="duty_officer")).status_code == 200
    assert (await desk.get(f"incidents/{lamp}", "county-roads")).status_code == 404
    assert (await offered(desk, again, "county-roads"))["items"] == []
    assert (await desk.get(f"incidents/{again}/suggestion", "county-roads")).json()["nearest"] == []
    assert [one["incident_id"] for one in (await offered(desk, again))["items"]] == [lamp]
    assert (await desk.ask(lamp, "assign", {"unit": "county-roads"}, role="duty_officer")).status_code == 200
    assert [one["incident_id"] for one in (await offered(desk, again, "county-roads"))["items"]] == [lamp]


async def test_an_exercise_is_compared_with_exercises_only(desk: Triage) -> None:
    await opened(desk, LAMP)
    drill = await opened(desk, LAMP_AGAIN, drill=True)
    assert (await offered(desk, drill))["items"] == []
    other = await opened(desk, (LAMP[0], LAMP[1] + "演练"), drill=True)
    assert [item["incident_id"] for item in (await offered(desk, drill))["items"]] == [other]


async def test_asking_masks_what_is_asked_offers_and_is_an_event_without_the_words(desk: Triage) -> None:
    lamp = await opened(desk, LAMP)
    answer = await asked(desk, (LAMP_AGAIN[0], LAMP_AGAIN[1] + "我的电话是13800000000"), place="卫生院门前")
    assert answer.status_code == 200, answer.text
    [item] = answer.json()["items"]
    assert item["incident_id"] == lamp
    async with desk.runtime.database.read() as connection:
        rows = (await connection.execute(text("select bytes from events where type like '%similar_asked%'"))).all()
        kept = (await connection.execute(text("select words from contents"))).scalars().all()
    [event] = [Event.parse(bytes(row.bytes)) for row in rows]
    assert (event.data.unit, event.data.offered, event.actor) == ("town-east", (lamp,), "duty_officer@town-east")
    assert not any("13800000000" in one or LAMP_AGAIN[0] in one for one in kept)


async def test_bad_questions_are_refused(desk: Triage) -> None:
    elsewhere = {"unit": "town-west", "subject": "s", "text": "t"}
    headers = desk.token("duty_officer", "town-east")
    assert (await desk.client.post("/triage/v1/similar", json=elsewhere, headers=headers)).status_code == 403
    for body in (
        {"unit": "nowhere", "subject": "s", "text": "t"},
        {"unit": "town-east", "subject": "", "text": "t"},
        {"unit": "town-east", "subject": "s", "text": "t", "category": "raods"},
    ):
        assert (await desk.client.post("/triage/v1/similar", json=body, headers=headers)).status_code == 422
    id_ = await opened(desk, LAMP)
    for limit in ("0", "21", "x"):
        assert (await desk.get(f"incidents/{id_}/similar", limit=limit)).status_code == 422
    assert (await desk.get("incidents/incident-1/similar")).status_code == 404
    for strange in (("。。。", "！！"), ("a", "b"), ("\U0001f600" * 9, "' OR \" * NEAR( - ^")):
        assert (await asked(desk, strange)).json() == {"items": [], "above": []}


async def test_words_that_come_after_their_report_are_found_as_well(desk: Triage) -> None:
    lamp, again = await opened(desk, LAMP, say=False), await opened(desk, LAMP_AGAIN)
    assert (await offered(desk, again))["items"] == []
    assert (await offered(desk, lamp))["items"] == []
    await desk.say(*LAMP)
    assert [item["incident_id"] for item in (await offered(desk, again))["items"]] == [lamp]


async def test_words_that_staff_typed_hide_no_report(desk: Triage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search keeps its words. They are newer than the report, and of them there may be more than the index names."""
    monkeypatch.setattr(search, "MOST", 3)
    monkeypatch.setattr(word_index, "OF_ONE", 3)
    for statement in (word_index._nearest_in_fts5, word_index._nearest_in_gin):
        statement.cache_clear()
    lamp = await opened(desk, LAMP, place="东风路")
    for _ in range(4):
        for said in ({"words": LAMP[0]}, {"place": "东风路"}):
            assert await searched(desk, **said, purpose="核对重复反映") == [lamp]
    await desk.say(*(f"{LAMP[1]}核实意见之{number}" for number in range(4)))
    assert [one["incident_id"] for one in (await asked(desk, LAMP_AGAIN)).json()["items"]] == [lamp]
    for statement in (word_index._nearest_in_fts5, word_index._nearest_in_gin):
        statement.cache_clear()


async def test_erased_words_leave_the_index_with_their_row(desk: Triage) -> None:
    event = report(desk, LAMP)
    await desk.say(*LAMP)
    await desk.take(event)
    again = await opened(desk, LAMP_AGAIN)
    assert (await offered(desk, again))["items"]
    refs = (words(LAMP[0]).ref, words(LAMP[1]).ref)
    erased = ReportErased(refs=refs, cause="mistake", by="0" * 64)
    await desk.take(desk.event(event.stream, erased, service="ingest"))
    assert (await offered(desk, again))["items"] == []
    assert (await asked(desk, LAMP)).json()["items"][0]["incident_id"] == again
    async with desk.runtime.database.read() as connection:
        assert await word_index.nearest(connection, {"不亮": 1.0}, SAID["text"], 10) == {words(LAMP_AGAIN[1]).ref: 1.0}
    database = desk.runtime.database
    await word_index.forget(database)
    assert await database.forget()
    if database.is_sqlite:
        bytes_ = await asyncio.to_thread(Path(database.location).read_bytes)
        only = "门前路灯"  # stands in the erased subject and nowhere else
        assert only.encode() not in bytes_
        assert "前路".encode().hex().encode() not in bytes_


async def test_the_index_is_made_from_the_words_where_it_is_missing(desk: Triage) -> None:
    lamp, again = await opened(desk, LAMP), await opened(desk, LAMP_AGAIN)
    async with desk.runtime.database.transaction() as connection:
        if desk.runtime.database.is_sqlite:
            for kind, name in (("trigger", "word_pairs_come"), ("trigger", "word_pairs_go"), ("table", "word_pairs")):
                await connection.execute(text(f"drop {kind} {name}"))
            await connection.execute(text("drop view word_pairs_of"))
        else:
            await connection.execute(text("drop index word_pairs"))
    await word_index.make(desk.runtime.database)
    assert [item["incident_id"] for item in (await offered(desk, again))["items"]] == [lamp]


@pytest.mark.parametrize("of", ["closed_at", "state"])
async def test_ended_matters_are_compared_for_a_time_and_dismissed_ones_never(desk: Triage, of: str) -> None:
    lamp, again = await opened(desk, LAMP), await opened(desk, LAMP_AGAIN)
    long_ago = desk.runtime.time_source.now() - similar.RECENT
    values = {
        "closed_at": f"closed_at = '{long_ago:%Y-%m-%dT%H:%M:%S}.000000Z', state = 'closed'",
        "state": "state = 'dismissed'",
    }
    async with desk.runtime.database.transaction() as connection:
        await connection.execute(text(f"update incidents set {values[of]} where id = :id"), {"id": lamp})
    assert (await offered(desk, again))["items"] == []


async def test_a_suggestion_counts_the_nearest_earlier_matters(desk: Triage) -> None:
    for number in range(3):
        lamp = await opened(desk, (f"{LAMP[0]}{number}", f"{LAMP[1]}第{number}次反映"))
        body = {"unit": "county-roads" if number else "town-east", "reason": "r"}
        assert (await desk.ask(lamp, "assign", body, role="duty_officer")).status_code == 200
    await opened(desk, WATER)
    again = await opened(desk, LAMP_AGAIN)
    found = (await desk.get(f"incidents/{again}/suggestion", "town-east")).json()
    assert found["unit"] == {"code": "county-roads", "having": 2, "of": 3, "right": 0, "judged": 0}
    assert found["category"] == {"code": "roads", "having": 3, "of": 3, "right": 0, "judged": 0}
    assert len(found["nearest"]) == 3
    assert (await desk.kinds(again)) == ["opened"]


async def test_a_category_that_is_set_later_is_what_is_compared_suggested_and_found(desk: Triage) -> None:
    lamp, again = await opened(desk, LAMP), await opened(desk, LAMP_AGAIN)
    found = (await desk.get(f"incidents/{again}/suggestion", "town-east")).json()
    assert (found["category"]["code"], found["category"]["right"]) == ("roads", 0)
    [before] = (await offered(desk, again))["items"]
    answer = await desk.ask(lamp, "categorize", {"category": "roads.lighting"}, role="duty_officer")
    assert answer.status_code == 200, answer.text
    [apart] = (await offered(desk, again))["items"]
    assert apart["score"] < before["score"]
    third = await opened(desk, (f"{LAMP_AGAIN[0]}。", f"{LAMP_AGAIN[1]}第三次反映"))
    await desk.ask(again, "categorize", {"category": "roads.lighting"}, role="duty_officer")
    found = (await desk.get(f"incidents/{third}/suggestion", "town-east")).json()
    assert (found["category"]["code"], found["category"]["having"]) == ("roads.lighting", 2)
    assert set(await searched(desk, category="roads.lighting")) == {lamp, again}
    await desk.ask(third, "categorize", {"category": "roads.lighting"}, role="duty_officer")
    last = await opened(desk, (f"{LAMP_AGAIN[0]}！", f"{LAMP_AGAIN[1]}第四次反映"))
    found = (await desk.get(f"incidents/{last}/suggestion", "town-east")).json()
    assert (found["category"]["right"], found["category"]["judged"]) == (1, 1)


async def test_a_long_text_is_indexed_as_fast_as_its_beginning(desk: Triage) -> None:
    """Whoever writes it holds the one lock of an embedded store."""
    beginning = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(word_index.INDEXED))
    took = []
    for said in (beginning, beginning + "长" * 96_000):
        begun = time.perf_counter()
        await desk.say(said)
        took.append(time.perf_counter() - begun)
    assert took[1] < 10 * took[0] + 0.1
    await desk.take(report(desk, (beginning, beginning + "长" * 96_000)))
    async with desk.runtime.database.read() as connection:
        of = (*SAID["subject"], *SAID["text"])
        found, whole = await word_index.holding(connection, beginning[-2:], of, 9)
        assert (len(found), whole) == (2, True)
        assert await word_index.holding(connection, beginning[-1] + "长", of, 9) == ([], True)


async def test_beside_a_suggestion_stands_how_often_it_was_right_for_other_matters(desk: Triage) -> None:
    lamp = await opened(desk, LAMP)
    assert (await desk.ask(lamp, "assign", {"unit": "county-roads"}, role="duty_officer")).status_code == 200
    given = ("county-roads", "county-roads", "county-water", None)
    for number, unit in enumerate(given):
        again = await opened(desk, (f"{LAMP_AGAIN[0]}{number}", f"{LAMP_AGAIN[1]}第{number}次反映"))
        for _ in range(2):
            found = (await desk.get(f"incidents/{again}/suggestion", "town-east")).json()
            assert found["unit"]["code"] == "county-roads"
        if unit:
            assert (await desk.ask(again, "assign", {"unit": unit}, role="duty_officer")).status_code == 200
    # those that nobody handles yet are not judged, nor is the matter itself
    assert (found["unit"]["right"], found["unit"]["judged"]) == (2, 3)
    assert (found["category"]["right"], found["category"]["judged"]) == (3, 3)
    drill = await opened(desk, LAMP, drill=True)
    another = await opened(desk, LAMP_AGAIN, drill=True)
    assert (await desk.ask(drill, "assign", {"unit": "county-roads"}, role="duty_officer")).status_code == 200
    assert (await desk.get(f"incidents/{another}/suggestion", "town-east")).json()["unit"]["judged"] == 0
    async with desk.runtime.database.read() as connection:
        rows = (await connection.execute(text("select bytes from events where type like '%suggested%'"))).all()
    told = [Event.parse(bytes(row.bytes)).data for row in rows]
    assert [one.unit for one in told] == ["county-roads"] * 5


def test_likeness_needs_no_language_and_shares_name_whole_words() -> None:
    texts = [
        document(*LAMP),
        document(*LAMP_AGAIN),
        document(*WATER),
        document("Bridge closed", "the BRIDGE is closed"),
    ]
    known = commonness(texts)
    vectors = [vector(one, known) for one in texts]
    assert cosine(vectors[0], vectors[0]) == pytest.approx(1)
    assert cosine(vectors[0], vectors[1]) > 3 * cosine(vectors[0], vectors[2])
    assert cosine(vectors[3], vector(document("bridge", "Closed bridge"), known)) > 0.5
    assert "卫生院门前" in shared(texts[0], texts[1], known)
    assert vector("", known) == {}
    assert word_index.pairs_of("Ab c路灯") == ["ab", "c路", "路灯"]


async def searched(desk: Triage, by: str = "town-east", **asked: str) -> list[str]:
    headers = desk.token("duty_officer", by)
    answer = await desk.client.get("/triage/v1/search", params=asked, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["complete"]
    return [item["incident_id"] for item in answer.json()["items"]]


async def test_a_search_finds_by_words_and_columns_names_its_purpose_and_is_an_event(desk: Triage) -> None:
    lamp, water, far = await opened(desk, LAMP), await opened(desk, WATER), await opened(desk, LAMP_AGAIN, "town-west")
    why = {"purpose": "回访"}
    assert await searched(desk, words="路灯 看病", **why) == [lamp]
    assert await searched(desk, "county", words="卫生院门前", **why) == [far, lamp]
    assert await searched(desk, words="路灯 自来水", **why) == []
    assert await searched(desk, words="灯路", **why) == []
    assert await searched(desk, category="roads") == [water, lamp]
    number = (await desk.get(f"incidents/{water}")).json()["number"]
    assert await searched(desk, number=number) == [water]
    assert await searched(desk, state="closed") == []
    assert await searched(desk, state="open") == [water, lamp]
    assert await searched(desk, "county", unit="town-west") == [far]
    assert await searched(desk, "county", unit="county") == []
    assert await searched(desk, **{"from": "2200-01-01T00:00:00+08:00"}) == []
    second = (await desk.get(f"incidents/{water}")).json()["opened_at"]
    assert await searched(desk, **{"from": second}) == [water]
    assert await searched(desk, to=second) == [lamp]
    page = (await desk.get("search", "town-east", limit="1")).json()
    assert [page["items"][0]["incident_id"], *await searched(desk, cursor=page["next"])] == [water, lamp]
    async with desk.runtime.database.read() as connection:
        rows = (
            await connection.execute(text("select bytes from events where type like '%searched%' order by seq"))
        ).all()
        kept = (await connection.execute(text("select words from contents"))).scalars().all()
    events = [Event.parse(bytes(row.bytes)) for row in rows]
    assert (events[0].data.found, set(events[0].words)) == (1, {"purpose", "words"})
    assert len(events) == 15
    assert {"回访", "路灯 看病"} <= set(kept)


async def test_a_search_for_many_common_words_is_answered(desk: Triage) -> None:
    """Each word is in hundreds of texts, so the statement names far more texts than a database takes parameters."""
    said = [f"{first}{second}" for first in "路灯停水坏了不亮" for second in "东门小区西街河桥"]
    texts = [f"{' '.join(said)} {number}" for number in range(350)]
    await desk.say(*texts)
    report_ = report(desk, (texts[0], texts[1]))
    await desk.take(report_)
    [item] = (await desk.get("incidents", "city", report_id=report_.stream)).json()["items"]
    assert await searched(desk, words=" ".join(said), purpose="p") == [item["id"]]


async def test_a_search_reads_no_table_whole(triage: Triage) -> None:
    await opened(triage, LAMP)
    with asked_of() as questions:
        assert len(await searched(triage, words="路灯 看病", purpose="p")) == 1
    [question] = [one for one in questions if "incident_reports.active" in one and "json_each" in one]
    [plan] = await plans(triage.runtime.database, [question])
    for table in ("reports", "incidents", "incident_reports"):
        assert f"SCAN {table}" not in plan
    assert "(merged_into=?)" not in plan


async def test_a_search_by_place_reads_places_only_and_needs_a_purpose(desk: Triage) -> None:
    here = await opened(desk, LAMP, place="东风路二号")
    await opened(desk, WATER, place="解放路九号")
    assert await searched(desk, place="东风路", purpose="p") == [here]
    assert await searched(desk, words="东风路", purpose="p") == [here]
    assert await searched(desk, place="卫生院", purpose="p") == []
    assert (await desk.get("search", place="东风路")).json()["field"] == "purpose"


async def test_erased_words_are_found_no_more(desk: Triage) -> None:
    event = report(desk, LAMP)
    await desk.say(*LAMP)
    await desk.take(event)
    again = await opened(desk, LAMP_AGAIN)
    [found] = (await desk.get("incidents", "city", report_id=event.stream)).json()["items"]
    assert await searched(desk, words="卫生院门前", purpose="p") == [again, found["id"]]
    erased = ReportErased(refs=(words(LAMP[0]).ref, words(LAMP[1]).ref), cause="mistake", by="0" * 64)
    await desk.take(desk.event(event.stream, erased, service="ingest"))
    assert await searched(desk, words="卫生院门前", purpose="p") == [again]
    assert await searched(desk, number=found["number"]) == [found["id"]]


async def test_bad_searches_are_refused(desk: Triage) -> None:
    for asked in (
        {"words": "路灯"},
        {"words": "路灯", "purpose": " "},
        {"words": "路 灯", "purpose": "p"},
        {"state": "lost"},
        {"category": "raods"},
        {"cursor": "x"},
        {"from": "yesterday"},
        {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"},
        {"author": "x"},
    ):
        assert (await desk.get("search", **asked)).status_code == 422, asked
    turned = {"since": "2026-03-02T00:00:00Z", "until": "2026-03-01T00:00:00Z"}
    assert (await desk.get("statistics/handovers", **turned)).json()["type"].endswith("ends-before-it-begins")


async def test_a_search_by_the_number_of_a_merged_matter_finds_the_one_in_which_it_goes_on(desk: Triage) -> None:
    lamp, again, last = await opened(desk, LAMP), await opened(desk, LAMP_AGAIN), await opened(desk, WATER)
    told = [(await desk.get(f"incidents/{one}")).json()["number"] for one in (lamp, again)]
    for one, into in ((lamp, again), (again, last)):
        assert (await desk.ask(one, "merge", {"into": into}, role="chief")).status_code == 200
    assert [await searched(desk, number=one) for one in told] == [[last]] * 2
    assert await searched(desk, "town-west", number=told[0]) == []
    assert await searched(desk, number=told[0], state="closed") == []


async def test_a_suggestion_for_an_older_matter_rests_on_those_before_it_however_many_came_later(desk: Triage) -> None:
    lamp = await opened(desk, LAMP)
    body = {"unit": "county-roads", "reason": "r"}
    assert (await desk.ask(lamp, "assign", body, role="duty_officer")).status_code == 200
    again = await opened(desk, LAMP_AGAIN)
    for number in range(11):
        await opened(desk, (f"{LAMP_AGAIN[0]}{number}", f"{LAMP_AGAIN[1]}第{number}次反映"))
    found = (await desk.get(f"incidents/{again}/suggestion", "town-east")).json()
    assert (found["unit"]["code"], found["nearest"]) == ("county-roads", [lamp])


def test_markers_of_masked_data_make_no_two_texts_alike() -> None:
    one, other = document("路灯不亮", "请回电[手机号]。"), document("垃圾无人清运", "我的电话是[手机号]")
    common = commonness([one, other])
    assert shared(one, other, common) == [] and cosine(vector(one, common), vector(other, common)) == 0
