"""The API for staff on a real store: shapes, versions, rights, words, paging."""

import pytest

from schemas.triage import IncidentFactRevised, IncidentMerged
from services.kernel.core.ids import derived
from services.kernel.store import sql
from tests.kit import spec
from tests.kit.plans import asked, plans
from tests.publish.conftest import INCIDENT, TEXT, TITLE, Office, established, graded, opened

STATEMENTS = "/publish/v1/statements"


async def test_a_statement_from_draft_to_withdrawal(office: Office) -> None:
    body = {"incident_id": INCIDENT, "kind": "status", "title": TITLE, "text": TEXT}
    answer = await office.client.post(STATEMENTS, json=body, headers=office.as_("handler"))
    assert answer.status_code == 201
    made = answer.json()
    assert made["number"].endswith("-S00001")
    assert made == {"number": made["number"], "id": made["id"], "version": 1, "revision": 1, "events": made["events"]}
    assert [event["type"] for event in made["events"]] == ["huiying.statement.drafted.v1"]
    assert answer.headers["ETag"] == '"1"'
    id_, text = made["id"], "明日恢复。"
    states = []
    for verb, role, content in (
        ("revise", "handler", {"text": TEXT + "请绕行。"}),
        ("submit", "handler", None),
        ("reject", "chief", {"reason": "绕行路线没有写"}),
        ("submit", "handler", {}),
        ("approve", "approver", {"reason": "同意"}),
        ("publish", "spokesperson", {}),
        ("correct", "spokesperson", {"text": text, "reason": "时间写错"}),
        ("withdraw", "spokesperson", {"reason": "事项不属本镇"}),
    ):
        done = await office.act(id_, verb, role, content)
        assert done.status_code == 200, done.text
        states.append((await office.client.get(f"{STATEMENTS}/{id_}", headers=office.as_("auditor"))).json()["state"])
    assert states == [
        "drafted", "submitted", "drafted", "submitted", "approved", "published", "published", "withdrawn"
    ]  # fmt: skip
    found = (await office.client.get(f"{STATEMENTS}/{id_}", headers=office.as_("auditor"))).json()
    assert found["version"] == 9
    assert found["draft"] == TEXT + "请绕行。"
    assert (found["text"], found["corrections"], found["unit"]) == (text, 1, "town-east")
    assert [(release["kind"], release["text"], release["reason"]) for release in found["releases"]] == [
        ("publication", TEXT + "请绕行。", None),
        ("correction", text, "时间写错"),
        ("withdrawal", None, "事项不属本镇"),
    ]


async def test_what_staff_typed_stands_in_no_event_until_it_is_published(office: Office) -> None:
    id_ = await office.draft("尚未核准的草稿")
    await office.act(id_, "submit", "handler")
    await office.act(id_, "reject", "approver", {"reason": "数字不准"})
    events = office.runtime.tables["events"]
    async with office.runtime.database.read() as connection:
        mine = events.select().where(events.c.stream_id == id_)
        stored = [row.bytes.decode() for row in await connection.execute(mine)]
    assert len(stored) == 3
    assert not any("草稿" in bytes_ or "数字" in bytes_ for bytes_ in stored)
    assert all(f'"partitionkey":"{INCIDENT}"' in bytes_ for bytes_ in stored)
    assert all(f'"correlationid":"{INCIDENT}"' in bytes_ for bytes_ in stored)


async def test_the_version_that_was_seen_must_be_named(office: Office) -> None:
    id_, who = await office.draft(), office.as_("handler")
    path = f"{STATEMENTS}/{id_}/submit"
    missing = await office.client.post(path, headers=who)
    assert (missing.status_code, missing.headers["content-type"]) == (428, "application/problem+json")
    stale = await office.client.post(path, headers=who | {"If-Match": '"2"'})
    assert (stale.status_code, stale.json()["version"]) == (412, 1)
    for version in ("1", '"1"'):
        done = await office.client.post(path, headers=who | {"If-Match": version})
        assert done.status_code in (200, 412)
    assert done.status_code == 412


@pytest.mark.requirement("PUB-18")
async def test_a_right_that_is_missing_is_403_and_recorded(office: Office) -> None:
    body = {"incident_id": INCIDENT, "kind": "status", "title": TITLE, "text": TEXT}
    answer = await office.client.post(STATEMENTS, json=body, headers=office.as_("spokesperson"))
    assert answer.status_code == 403
    assert "to draft takes the role handler over town-east" in answer.json()["detail"]
    events = office.runtime.tables["events"]
    async with office.runtime.database.read() as connection:
        types = [row.type for row in await connection.execute(events.select())]
    assert types == ["huiying.operation.access_refused.v1"]
    assert (await office.client.post(STATEMENTS, json=body)).status_code == 401


async def test_who_has_no_right_learns_no_version(office: Office) -> None:
    id_, who = await office.draft(), office.as_("duty_officer", "town-west")
    reason = {"reason": "r"}
    bodies = {"revise": {"text": TEXT}, "correct": {"text": TEXT, **reason}, "reject": reason, "withdraw": reason}
    for verb in ("revise", "submit", "approve", "reject", "publish", "correct", "withdraw"):
        for version in ({}, {"If-Match": '"7"'}):
            answer = await office.client.post(
                f"{STATEMENTS}/{id_}/{verb}", json=bodies.get(verb), headers=who | version
            )
            assert (answer.status_code, "version" in answer.json()) == (403, False), (verb, answer.text)


async def test_a_draft_that_a_rule_refuses(office: Office) -> None:
    facts = {"incident_id": INCIDENT, "kind": "facts", "title": TITLE, "text": TEXT, "facts": ["cause"]}
    answer = await office.client.post(STATEMENTS, json=facts, headers=office.as_("handler"))
    assert (answer.status_code, answer.json()["missing"]) == (409, ["cause"])
    await office.incident(established())
    await office.draft(kind="facts", facts=["cause"])
    other = await office.incident(opened(), uuid=derived("other"))
    await office.incident(IncidentMerged.model_validate({"into": other, "reason": "同一事项"}))
    answer = await office.client.post(STATEMENTS, json=facts, headers=office.as_("handler"))
    assert (answer.status_code, answer.json()["into"]) == (409, other)
    # where the incident goes on, its facts count too, also after another merger
    third = await office.incident(opened(), uuid=derived("third"))
    for into in (other, third):
        answer = await office.client.post(
            STATEMENTS, json={**facts, "incident_id": into}, headers=office.as_("handler")
        )
        assert answer.status_code == 201, answer.text
        await office.incident(IncidentMerged.model_validate({"into": third}), uuid=derived("other"))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"incident_id": f"incident-{derived('nowhere')}"}, "incident_id"),
        ({"incident_id": f"report-{spec.UUID}"}, "incident_id"),
        ({"kind": "praise"}, "kind"),
        ({"title": None}, "title"),
        ({"title": " ab "}, "title"),
        ({"title": "x" * 121}, "title"),
        ({"title": "两行\n标题"}, "title"),
        ({"title": "两行\r标题"}, "title"),
        ({"title": "两行\u2028标题"}, "title"),
        ({"title": "断开\x1b[31m"}, "title"),
        ({"text": ""}, "text"),
        ({"text": " \n"}, "text"),
        ({"text": "断开\x1b[31m"}, "text"),
        ({"text": "x" * 100_001}, "text"),
        ({"facts": ["not a code!"]}, "facts.0"),
        ({"author": "someone"}, "author"),
        ({"persona": "热心市民"}, "persona"),
    ],
)
@pytest.mark.requirement("PUB-02")
async def test_a_malformed_draft_names_the_field(office: Office, change: dict[str, object], place: str) -> None:
    body = {"incident_id": INCIDENT, "kind": "status", "title": TITLE, "text": TEXT} | change
    answer = await office.client.post(STATEMENTS, json=body, headers=office.as_("handler"))
    assert (answer.status_code, answer.json()["field"]) == (422, place)


async def test_verbs_need_what_they_need(office: Office) -> None:
    id_ = await office.draft()
    who = office.as_("approver") | {"If-Match": "1"}
    for verb, body, status in (("reject", {}, 422), ("reject", None, 422), ("approve", {"why": "x"}, 422)):
        answer = await office.client.post(f"{STATEMENTS}/{id_}/{verb}", json=body, headers=who)
        assert answer.status_code == status, (verb, answer.text)
    assert (await office.client.post(f"{STATEMENTS}/{id_}/delete", headers=who)).status_code == 404


@pytest.mark.parametrize("id_", ["statement-1", f"incident-{spec.UUID}", f"statement-{derived('none')}"])
async def test_what_is_not_there_is_404(office: Office, id_: str) -> None:
    who = office.as_("handler")
    assert (await office.client.get(f"{STATEMENTS}/{id_}", headers=who)).status_code == 404
    answer = await office.client.post(f"{STATEMENTS}/{id_}/submit", headers=who | {"If-Match": "1"})
    assert answer.status_code == 404


async def test_a_repeated_key_answers_the_same(office: Office) -> None:
    body = {"incident_id": INCIDENT, "kind": "status", "title": TITLE, "text": TEXT}
    headers = office.as_("handler") | {"Idempotency-Key": "one"}
    first = await office.client.post(STATEMENTS, json=body, headers=headers)
    again = await office.client.post(STATEMENTS, json=body, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    other = await office.client.post(STATEMENTS, json=body | {"text": "别的"}, headers=headers)
    assert other.status_code == 422


async def test_lists_are_paged_filtered_and_kept_to_the_subtree(office: Office) -> None:
    ids = [await office.draft(f"第{number}稿") for number in range(5)]
    await office.act(ids[0], "submit", "handler")
    who, seen, cursor = office.as_("handler"), [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await office.client.get(STATEMENTS, params=query, headers=who)).json()
        seen += [item["id"] for item in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert seen == ids[::-1]
    by_state = (await office.client.get(STATEMENTS, params={"state": "submitted"}, headers=who)).json()
    assert [item["id"] for item in by_state["items"]] == ids[:1]
    assert by_state["items"][0]["draft"] == "第0稿"
    elsewhere = {"incident": f"incident-{derived('elsewhere')}"}
    assert (await office.client.get(STATEMENTS, params=elsewhere, headers=who)).json()["items"] == []
    west = office.as_("handler", unit="town-west")
    assert (await office.client.get(STATEMENTS, headers=west)).json() == {"items": [], "next": None, "may": ["draft"]}
    assert (await office.client.get(f"{STATEMENTS}/{ids[0]}", headers=west)).status_code == 404
    for wrong in ({"limit": 501}, {"limit": 0}, {"cursor": "x"}, {"cursor": "é"}, {"state": "draft"}):
        assert (await office.client.get(STATEMENTS, params=wrong, headers=who)).status_code == 422, wrong
    assert (await office.client.get(STATEMENTS)).status_code == 401


async def test_a_list_asks_as_much_for_many_statements_as_for_one_and_reads_no_table_whole(office: Office) -> None:
    who, questions = office.as_("handler"), list[list[str]]()
    for _ in range(2):
        await office.draft("稿")
        for query in ({}, {"state": "submitted"}, {"state": "drafted"}):
            with asked() as found:
                assert (await office.client.get(STATEMENTS, params=query, headers=who)).status_code == 200
            questions.append([one for one in found if "incident" in one])
    counts = [len(found) for found in questions]
    assert counts[:3] == counts[3:]
    # Every list of statements ends at its limit, and nearly no matter was merged.
    of_them = [one for found in questions for one in found]
    for question, plan in zip(of_them, await plans(office.runtime.database, of_them), strict=True):
        for table in ("statements", "incidents"):
            assert f"SCAN {table}" not in plan.replace(f"SCAN {table} USING INDEX", ""), question
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan or "drafted_at" not in question, question


async def test_erased_words_are_marked_and_not_published(office: Office) -> None:
    id_ = await office.draft()
    await office.act(id_, "submit", "handler")
    await office.act(id_, "approve", "approver")
    contents = office.runtime.tables["contents"]
    async with office.runtime.database.transaction() as connection:
        refs = [row.ref for row in await connection.execute(contents.select())]
        await sql.upsert(connection, office.runtime.tables["erased"], [{"ref": ref} for ref in refs])
        await connection.execute(contents.delete())
    found = await office.client.get(f"{STATEMENTS}/{id_}", headers=office.as_("handler"))
    assert found.json()["draft"] == "[erased]"
    refused = await office.act(id_, "publish", "spokesperson")
    assert (refused.status_code, "were erased" in refused.json()["detail"]) == (409, True)


async def test_a_matter_that_is_raised_between_approval_and_publication(office: Office) -> None:
    id_ = await office.draft()
    await office.act(id_, "submit", "handler")
    await office.act(id_, "approve", "approver")
    await office.incident(graded("major", 2))
    assert (await office.act(id_, "publish", "spokesperson")).status_code == 409
    for verb, role in (
        ("submit", "handler"),
        ("approve", "approver"),
        ("approve", "chief"),
        ("publish", "spokesperson"),
    ):
        assert (await office.act(id_, verb, role)).status_code == 200, verb


async def test_the_history_says_who_did_and_said_what_on_which_text(office: Office) -> None:
    id_ = await office.draft("尚未核准的草稿")
    for verb, role, content in (
        ("submit", "handler", None),
        ("reject", "chief", {"reason": "绕行路线没有写"}),
        ("revise", "handler", {"text": TEXT + "请绕行。", "title": TITLE + "情况"}),
        ("submit", "handler", {}),
        ("approve", "approver", {"reason": "同意"}),
        ("publish", "spokesperson", {}),
        ("correct", "spokesperson", {"text": "明日恢复。", "reason": "时间写错"}),
        ("withdraw", "spokesperson", {"reason": "事项不属本镇"}),
    ):
        assert (await office.act(id_, verb, role, content)).status_code == 200
    answer = await office.client.get(f"{STATEMENTS}/{id_}/history", headers=office.as_("auditor"))
    acts = answer.json()["items"]
    assert [(act["act"], act["draft"], act["revision"], act["reason"]) for act in acts] == [
        ("drafted", 1, 1, None),
        ("submitted", 1, 2, None),
        ("rejected", 1, 3, "绕行路线没有写"),
        ("revised", 2, 4, None),
        ("submitted", 2, 5, None),
        ("approved", 2, 6, "同意"),
        ("published", 2, 7, None),
        ("corrected", 3, 8, "时间写错"),
        ("withdrawn", 3, 9, "事项不属本镇"),
    ]
    assert [act["text"] for act in acts if act["text"]] == ["尚未核准的草稿", TEXT + "请绕行。", "明日恢复。"]
    assert [act["title"] for act in acts if act["text"]] == [TITLE, TITLE + "情况", TITLE + "情况"]
    assert (acts[2]["by"], acts[2]["step"], acts[5]["post"]) == (
        "chief@county",
        acts[5]["step"],
        "approver@county",
    )
    stranger = await office.client.get(f"{STATEMENTS}/{id_}/history", headers=office.as_("handler", unit="town-west"))
    assert stranger.status_code == 404


async def test_a_save_without_a_change_voids_no_approval(office: Office) -> None:
    id_ = await office.draft("尚未核准的草稿")
    await office.act(id_, "submit", "handler")
    await office.act(id_, "approve", "approver", {})
    for content in (
        {"text": "尚未核准的草稿"},
        {"text": "尚未核准的草稿", "title": TITLE, "facts": [], "secret": False},
    ):
        refused = await office.act(id_, "revise", "handler", content)
        assert refused.status_code == 409 and refused.json()["type"].endswith("nothing-changed")
    found = (await office.client.get(f"{STATEMENTS}/{id_}", headers=office.as_("auditor"))).json()
    assert (found["state"], found["steps_done"]) == ("approved", 1)
    assert (await office.act(id_, "revise", "handler", {"text": "尚未核准的草稿", "secret": True})).status_code == 200


async def test_a_correction_that_changes_nothing_is_none(office: Office) -> None:
    await office.incident(established("cause"))
    id_ = await office.published("已围挡。", kind="facts", facts=["cause"])
    for same in ({}, {"title": TITLE}):
        body = {"text": "已围挡。", "reason": "核对", **same}
        refused = await office.act(id_, "correct", "spokesperson", body)
        assert refused.status_code == 409 and refused.json()["type"].endswith("nothing-corrected")
    assert (await office.read(id_))["corrections"] == 0
    revised = {"key": "cause", "kind": "yes_no", "yes": True, "source": "复查"}
    await office.incident(IncidentFactRevised.model_validate(revised))
    body = {"text": "已围挡。", "reason": "依据已更新"}
    corrected = await office.act(id_, "correct", "spokesperson", body)
    assert corrected.status_code == 200, "it rests on another finding now"


async def test_why_somebody_may_not_go_on_is_said_and_recorded_by_nobody(office: Office) -> None:
    id_ = await office.draft("尚未核准的草稿")
    await office.act(id_, "submit", "handler")

    async def said(role: str) -> list[tuple[str, str]]:
        answer = await office.client.get(f"{STATEMENTS}/{id_}", headers=office.as_(role) | {"Accept-Language": "zh"})
        return [(one["verb"], one["title"]) for one in answer.json()["may_not"]]

    assert await said("approver") == []
    assert await said("handler") == [("approve", "无权操作")]


async def test_the_checks_before_an_approval_stand_with_each_statement(office: Office) -> None:
    id_ = await office.draft("尚未核准的草稿")
    await office.act(id_, "submit", "handler")

    async def checks(role: str) -> dict[str, str]:
        listed = (await office.client.get(STATEMENTS, headers=office.as_(role))).json()["items"]
        [one] = [item for item in listed if item["id"] == id_]
        whole = (await office.client.get(f"{STATEMENTS}/{id_}", headers=office.as_(role))).json()
        assert whole["gates"] == one["gates"]
        return {gate["check"]: gate["state"] for gate in one["gates"]}

    told = await checks("approver")
    assert told == {
        "facts": "not_asked",
        "verification": "not_asked",
        "chain": "met",
        "separation": "met",
        "one_text": "met",
        "secrecy": "clear",
        "major_information": "clear",
    }
    assert (await checks("handler")) == told | {"separation": "missing"}
    assert (await office.act(id_, "approve", "approver", {"secret": True})).status_code == 200
    assert (await checks("approver"))["secrecy"] == "marked"


async def test_a_statement_is_looked_at_before_it_is_begun_and_nothing_is_stored(office: Office) -> None:
    before = (await office.client.get(STATEMENTS, headers=office.as_("handler"))).json()["items"]
    typed = {"incident_id": INCIDENT, "kind": "facts", "title": TITLE, "text": "还没有保存的<b>文字"}
    page = await office.client.post("/publish/v1/preview", json=typed, headers=office.as_("handler"))
    assert page.status_code == 200 and "还没有保存的&lt;b&gt;文字" in page.text and "还没有公开" in page.text
    bare = await office.client.post(
        "/publish/v1/preview", json={"incident_id": INCIDENT}, headers=office.as_("handler")
    )
    assert bare.status_code == 200 and "还没有标题" in bare.text
    for who in (office.as_("handler", unit="town-west"), office.as_("auditor")):
        assert (await office.client.post("/publish/v1/preview", json=typed, headers=who)).status_code == 404
    unknown = await office.client.post("/publish/v1/preview", json=typed | {"unit": "x"}, headers=office.as_("handler"))
    assert unknown.status_code == 422
    assert (await office.client.get(STATEMENTS, headers=office.as_("handler"))).json()["items"] == before


async def test_a_preview_is_the_page_of_the_bulletin_and_changes_nothing(office: Office) -> None:
    id_ = await office.draft("尚未核准的草稿")
    path = f"{STATEMENTS}/{id_}/preview"
    for typed, expected in (({}, "尚未核准的草稿"), ({"text": "改过的<b>文字"}, "改过的&lt;b&gt;文字")):
        page = await office.client.post(path, json=typed, headers=office.as_("handler"))
        assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
        assert expected in page.text and "还没有公开" in page.text and TITLE in page.text
        assert page.headers["cache-control"] == "no-store"
    assert (await office.client.get(f"/bulletin/statements/{id_}")).status_code == 404
    for verb, role in (("submit", "handler"), ("approve", "approver"), ("publish", "spokesperson")):
        await office.act(id_, verb, role, {})
    corrected = await office.client.post(
        path, json={"text": "新", "reason": "写错"}, headers=office.as_("spokesperson")
    )
    assert "本件已更正" in corrected.text and "更正前的文本" in corrected.text and "写错" in corrected.text
    withdrawn = await office.client.post(path, json={"reason": "不属本镇"}, headers=office.as_("spokesperson"))
    assert "本件已撤回" in withdrawn.text and "撤回前的文本" in withdrawn.text
    public = await office.client.get(f"/bulletin/statements/{id_}")
    assert "已更正" not in public.text and "预览" not in public.text
    stranger = await office.client.post(path, json={}, headers=office.as_("handler", unit="town-west"))
    assert stranger.status_code == 404
