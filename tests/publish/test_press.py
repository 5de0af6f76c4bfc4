"""Who speaks on a matter, and what the press is given: only posts that were fixed, only what was approved."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from schemas import press
from schemas.approval import Step
from schemas.envelope import Event
from schemas.fields import Fact
from schemas.pack.press import Conference, Press, Speakers
from schemas.publish import StatementScheduled
from schemas.triage import IncidentClosed, IncidentResolved
from services.kernel.core.decider import SYSTEM, Actor
from services.kernel.core.ids import stream_of
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from services.publish.commands import Publish, PublishDue, Submit
from services.publish.press.commands import (
    CallConference,
    CancelConference,
    FixSpeakers,
    HoldConference,
    LogContact,
    PostponeConference,
)
from services.publish.press.decider import DECIDER
from services.publish.press.given import Approved, refusal_of
from services.publish.press.speakers import Speaking
from services.publish.rights import Incident
from tests.kit import spec
from tests.kit.spec import Given, given, staff
from tests.publish.conftest import INCIDENT, TEXT, TITLE, Office, graded
from tests.publish.test_decider import MATTER, drafted, submitted
from tests.publish.test_decider import SPOKESPERSON as MOUTH
from tests.publish.test_decider import a_statement as on_statement
from tests.publish.test_decider import approved as agreed

PRESS = stream_of("press", INCIDENT)
CHIEF = staff("chief", unit="town-east", person="zhao")
HANDLER = staff("handler", unit="town-east", person="wang")
LEADER = staff("chief", unit="city", person="qian")
SAID = Approved(
    "statement-01890a5d-0000-7000-8000-000000000001", "town-east-2026-S00001", "town-east", "published", TITLE,
    "卫生院门前12盏路灯已于3月2日修复。",
)  # fmt: skip
MEETING = spec.UUID
SOON = spec.NOW + timedelta(hours=3)
SOURCE: Any = {"kind": "derived", "reason": "a test"}


def by(actor: Actor) -> str:
    return spec.ctx(actor).by(PRESS)


def fixed(*speaks: str, approves: tuple[str, ...] = (), interviews: tuple[str, ...] = ()) -> Fact:
    return press.PressSpeakersFixed(
        unit="town-east", speaks=speaks, approves=approves, interviews=interviews, by=by(CHIEF)
    )


def called() -> Fact:
    told: Any = {"place": "发布厅", "reason": "群众关注"}
    return press.PressConferenceCalled(conference=MEETING, unit="town-east", at=SOON, by=by(MOUTH), **told)


def case(*past: Fact, actor: Actor = MOUTH, incident: Incident = MATTER, statement: Approved | None = SAID) -> Given:
    seen = {"stream": PRESS, "incident": incident, "statement": statement, "earlier": ()}
    return given(DECIDER, *past, actor=actor).seeing(**seen)


def under(case: Given, rules: Press) -> Given:
    county = next(iter(spec.offices().packs.values())).model
    offices = spec.under(county.model_copy(update={"press": rules}))
    return replace(case, context=replace(case.context, offices=offices))


def contact(text: str = SAID.text, how: Any = "telephone", spoke: str = "spokesperson@town-east") -> LogContact:
    return LogContact(statement=SAID.id, medium="县融媒体中心", how=how, spoke=spoke, text=text)


def hold(text: str = SAID.text, **more: Any) -> HoldConference:
    told = {"conference": MEETING, "statement": SAID.id, "spoke": ("spokesperson@town-east",), "text": text}
    return HoldConference.model_validate(told | more)


# who speaks


@pytest.mark.requirement("PUB-18")
def test_the_head_of_the_accountable_unit_fixes_who_speaks() -> None:
    command = FixSpeakers(speaks=("spokesperson@town-east",), interviews=("chief@town-east",))
    case(actor=CHIEF).when(command).then(fixed("spokesperson@town-east", interviews=("chief@town-east",)))
    case(actor=HANDLER).when(command).then_raises(Forbidden, "takes the role chief over town-east")
    case(actor=staff("chief", unit="town-west")).when(command).then_raises(Forbidden, "chief over town-east")


@pytest.mark.requirement("PUB-17")
def test_the_pack_lets_the_unit_above_designate_the_speaker() -> None:
    rules = Press(speakers=Speakers(by="principal_leader", at="city", source=SOURCE))
    command = FixSpeakers(speaks=("publicity@city",))
    under(case(actor=LEADER), rules).when(command).then(fixed("publicity@city").model_copy(update={"by": by(LEADER)}))
    under(case(actor=CHIEF), rules).when(command).then_raises(Forbidden, "chief@city decides this")


@pytest.mark.requirement("PUB-17")
def test_the_pack_says_which_posts_may_speak() -> None:
    rules = Press(speakers=Speakers(by="leading_group", speaks=("spokesperson",), source=SOURCE))
    refused = under(case(actor=CHIEF), rules).when(FixSpeakers(speaks=("handler@town-east",)))
    refused.then_raises(Rejected, "lets spokesperson speak, and handler@town-east is not one of these")
    for post in ("spokesperson@town-east", "publicity@county"):
        under(case(actor=CHIEF), rules).when(FixSpeakers(speaks=(post,))).then(fixed(post))


@pytest.mark.parametrize(
    ("command", "error", "said"),
    [
        (FixSpeakers(speaks=("nobody@town-east",)), Malformed, "no directory has the post"),
        (FixSpeakers(speaks=("spokesperson@town-west",)), Rejected, "belongs to no unit that works on"),
        (FixSpeakers(speaks=("leading_group@town-east",)), Rejected, "is a body of several posts"),
        (FixSpeakers(), Rejected, "nothing would change"),
    ],
)
def test_only_posts_of_the_matter_are_fixed(command: FixSpeakers, error: type[Exception], said: str) -> None:
    case(actor=CHIEF).when(command).then_raises(error, said)


def test_nobody_is_fixed_once_the_matter_has_ended() -> None:
    command = FixSpeakers(speaks=("spokesperson@town-east",))
    case(actor=CHIEF, incident=replace(MATTER, state="closed")).when(command).then_raises(Rejected, "is closed")
    merged = replace(MATTER, merged_into="incident-01890a5d-0000-7000-8000-00000000000a")
    case(actor=CHIEF, incident=merged).when(command).then_raises(Rejected, "goes on as")


PUBLISHABLE = (drafted(), submitted(), agreed())


@pytest.mark.requirement("PUB-18")
def test_nobody_else_publishes_once_a_speaker_is_fixed() -> None:
    matter = replace(MATTER, speaking=Speaking(speaks=("publicity@town-east",)))
    refused = on_statement(*PUBLISHABLE, actor=MOUTH, incident=matter).when(Publish())
    refused.then_raises(Forbidden, "publicity@town-east speaks on this matter and nobody else")
    other = Actor("publicity@county-roads", "county-roads", frozenset({"spokesperson"}), "xu")
    on_statement(*PUBLISHABLE, actor=other, incident=matter).when(Publish()).then_raises(
        Forbidden, "publicity@town-east"
    )
    fixed = Actor("publicity@town-east", "town-east", frozenset({"spokesperson"}), "xu")
    assert on_statement(*PUBLISHABLE, actor=fixed, incident=matter).when(Publish()).decided()


@pytest.mark.requirement("PUB-18")
def test_what_another_post_scheduled_is_not_published_once_a_speaker_is_fixed() -> None:
    planned = spec.At(StatementScheduled(at=spec.NOW, by="0" * 64), actor="spokesperson@town-east")
    for post, goes in (("spokesperson@town-east", True), ("publicity@town-east", False)):
        matter = replace(MATTER, speaking=Speaking(speaks=(post,)))
        due = (
            on_statement(*PUBLISHABLE, planned, incident=matter, actor=SYSTEM)  # type: ignore[arg-type]
            .at(spec.NOW + timedelta(seconds=1))
            .when(PublishDue())
        )
        if goes:
            assert due.decided()
        else:
            due.then_raises(Rejected, "publicity@town-east speaks on the matter now")


@pytest.mark.requirement("PUB-18")
def test_a_speaker_of_one_unit_does_not_speak_for_another() -> None:
    matter = replace(MATTER, speaking=Speaking(speaks=("publicity@town-east",)))
    actor = Actor("publicity@town-east", "town-east", frozenset({"spokesperson"}), "xu")
    steps = (Step(code="leader_in_charge", who=("leader_in_charge", "principal_leader")),)
    told = submitted().model_copy(update={"unit": "county-roads", "steps": steps})
    past = (drafted(unit="county-roads"), told, agreed(post="approver@county-roads"))
    on_statement(*past, actor=actor, incident=matter).when(Publish()).then_raises(Forbidden, "for its own unit")


@pytest.mark.requirement("PUB-18")
def test_an_approver_who_was_fixed_must_agree_too() -> None:
    offices = spec.offices()
    chain = (Step(code="leader_in_charge", who=("leader_in_charge", "principal_leader")),)
    speaking = Speaking(approves=("party_office@town-east",))
    assert speaking.steps(chain, "town-east", offices) == (
        *chain, Step(code="named_approver", who=("party_office@town-east",)),
    )  # fmt: skip
    # Who may decide a step of the chain decides that one, since nobody agrees twice.
    chief = Speaking(approves=("chief@town-east",))
    assert chief.steps(chain, "town-east", offices) == (Step(code="leader_in_charge", who=("chief@town-east",)),)
    matter = replace(MATTER, speaking=speaking)
    (made,) = on_statement(drafted(), incident=matter, actor=HANDLER).when(Submit()).decided()
    assert [step.code for step in made.data.steps] == ["leader_in_charge", "named_approver"]  # type: ignore[union-attr]
    # Who was fixed after the submission is asked, too.
    late = on_statement(*PUBLISHABLE, actor=MOUTH, incident=matter)
    late.when(Publish()).then_raises(Rejected, "Submit it again")


# press conferences


@pytest.mark.requirement("PUB-17")
def test_a_press_conference_is_called_put_off_and_called_off() -> None:
    call = CallConference(at=SOON, place="发布厅", reason="群众关注")
    (made,) = case().when(call).decided()
    assert (made.data.at, made.data.unit) == (SOON, "town-east")  # type: ignore[union-attr]
    later = PostponeConference(conference=MEETING, at=SOON + timedelta(hours=1), reason="仍在核实")
    assert case(called()).when(later).decided()
    off = CancelConference(conference=MEETING, reason="已书面发布")
    (ended,) = case(called()).when(off).decided()
    case(called(), ended.data).when(later).then_raises(Rejected, "cancelled already")  # type: ignore[union-attr]
    case().when(off).then_raises(Malformed, "no press conference")
    case().when(call.model_copy(update={"at": spec.NOW})).then_raises(Malformed, "has passed")
    case(actor=HANDLER).when(call).then_raises(Forbidden, "spokesperson or chief")


@pytest.mark.requirement("PUB-17")
def test_the_pack_calls_the_press_by_degree() -> None:
    rules = Press(conference=Conference(levels=("major",), source=SOURCE))
    call = CallConference(at=SOON, place="发布厅", reason="群众关注")
    under(case(), rules).when(call).then_raises(Rejected, "calls the press at major; this matter is general")
    assert under(case(incident=replace(MATTER, level="major", rank=2)), rules).when(call).decided()


@pytest.mark.requirement("PUB-10")
def test_what_is_read_out_is_the_approved_text() -> None:
    (made,) = case(called()).when(hold()).decided()
    assert (made.data.statement, made.data.spoke) == (SAID.id, ("spokesperson@town-east",))  # type: ignore[union-attr]
    case(called()).when(hold(SAID.text.replace("12", "13"))).then_raises(Rejected, "13 stands where")
    record = hold(record="问：还有几盏没修好？答：13盏。")
    case(called()).when(record).then_raises(Rejected, "differs from statement town-east-2026-S00001, which says 12盏")
    assert case(called()).when(hold(record="问：何时全部完工？答：3月9日。")).decided()


# what media are given


@pytest.mark.requirement("PUB-10")
@pytest.mark.parametrize(
    ("text", "given", "approved", "at"),
    [
        (SAID.text.replace("12盏", "13盏"), "13", "12", 6),
        (SAID.text.replace("已于", "将于"), "将", "已", 11),
        (SAID.text + "请放心。", "请放心。", "—", 20),
        (SAID.text[:-7] + "。", "—", "3月2日修复", 13),
        (SAID.text.replace("修复", "修復"), "復", "复", 18),
    ],
)
def test_a_text_that_differs_is_refused_with_both_and_the_place(text: str, given: str, approved: str, at: int) -> None:
    refused = refusal_of("text", text, SAID)
    assert refused is not None
    told = refused.members
    assert (told["given"], told["approved"], told["at"]) == (given, approved, at)
    assert given == "—" or text[at - 1 :].startswith(given)


@pytest.mark.requirement("PUB-10")
@pytest.mark.parametrize(
    "text", [SAID.text, f"{TITLE}\n{SAID.text}", SAID.text.replace("12", "１２"), f" {SAID.text}\n"]
)
def test_the_approved_text_is_taken_with_and_without_its_title(text: str) -> None:
    (made,) = case().when(contact(text)).decided()
    assert made.data.what == "text"  # type: ignore[union-attr]


@pytest.mark.parametrize("hidden", ["\u200b", "\u202e", "\u2066", "\ufeff", "\u3164"])
def test_a_text_with_hidden_characters_is_refused(hidden: str) -> None:
    text = SAID.text[:5] + hidden + SAID.text[5:]
    case().when(contact(text)).then_raises(Rejected, "invisible character")
    case(called()).when(hold(text)).then_raises(Rejected, "invisible character")
    told = contact().model_copy(update={"medium": f"县{hidden}台"})
    case().when(told).then_raises(Rejected, "invisible character")


@pytest.mark.requirement("PUB-18")
def test_only_who_was_fixed_speaks_to_media() -> None:
    matter = replace(MATTER, speaking=Speaking(speaks=("publicity@town-east",), interviews=("chief@town-east",)))
    case(incident=matter).when(contact()).then_raises(Rejected, "publicity@town-east speaks on this matter")
    assert case(incident=matter).when(contact(spoke="publicity@town-east")).decided()
    interview = contact(how="interview", spoke="publicity@town-east")
    case(incident=matter).when(interview).then_raises(Rejected, "chief@town-east is interviewed on this matter")
    assert case(incident=matter).when(contact(how="interview", spoke="chief@town-east")).decided()


def test_only_an_approved_statement_of_the_matter_is_given() -> None:
    case(statement=None).when(contact()).then_raises(Malformed, "has no statement")
    case(statement=SAID._replace(state="drafted")).when(contact()).then_raises(Rejected, "is drafted")
    case(statement=SAID._replace(state="withdrawn")).when(contact()).then_raises(Rejected, "is withdrawn")
    assert case(statement=SAID._replace(state="approved")).when(contact()).decided()


# over HTTP


async def act(office: Office, verb: str, role: str, body: Any, unit: str = "town-east") -> Any:
    who = office.as_(role, unit)
    seen = await office.client.get(f"/publish/v1/press/{INCIDENT}", headers=who)
    headers = who | {"If-Match": seen.headers["ETag"]}
    return await office.client.post(f"/publish/v1/press/{INCIDENT}/{verb}", json=body, headers=headers)


async def read(office: Office, role: str = "handler", unit: str = "town-east") -> Any:
    return (await office.client.get(f"/publish/v1/press/{INCIDENT}", headers=office.as_(role, unit))).json()


@pytest.fixture(params=["office", "office_on_postgres"])
def either(request: pytest.FixtureRequest) -> Office:
    """Publish on each of the two databases."""
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


@pytest.mark.requirement("PUB-18")
async def test_the_press_part_of_a_matter(either: Office) -> None:
    office = either
    begin = await read(office)
    assert (begin["revision"], begin["speaks"], begin["contacts"]) == (0, [], [])
    assert "fix-speakers" in (await read(office, "chief"))["may"]
    done = await act(office, "fix-speakers", "chief", {"speaks": ["publicity@town-east"]})
    assert done.status_code == 200, done.text
    id_ = await office.draft()
    assert (await office.act(id_, "submit", "handler")).status_code == 200
    assert (await office.act(id_, "approve", "approver")).status_code == 200
    refused = await office.act(id_, "publish", "spokesperson")
    assert (refused.status_code, refused.json()["posts"]) == (403, ["publicity@town-east"])
    assert "publish" not in (await office.read(id_, "spokesperson"))["may"]
    logged = {"statement": id_, "medium": "县融媒体中心", "how": "written", "spoke": "publicity@town-east"}
    wrong = await act(office, "log-contact", "handler", logged | {"text": TEXT.replace("今日", "明日")})
    assert (wrong.status_code, wrong.json()["given"], wrong.json()["approved"]) == (409, "明", "今")
    assert (await read(office))["contacts"] == []
    done = await act(office, "log-contact", "handler", logged | {"text": TEXT})
    assert done.status_code == 200, done.text
    (shown,) = (await read(office))["contacts"]
    assert (shown["medium"], shown["text"], shown["number"][-6:]) == ("县融媒体中心", TEXT, "S00001")
    stranger = await office.client.get(f"/publish/v1/press/{INCIDENT}", headers=office.as_("handler", "town-west"))
    assert stranger.status_code == 404
    stale = office.as_("chief", "town-east") | {"If-Match": '"0"'}
    again = await office.client.post(f"/publish/v1/press/{INCIDENT}/fix-speakers", json={}, headers=stale)
    assert again.status_code == 412


async def test_who_was_fixed_ends_with_the_matter(office: Office) -> None:
    await act(office, "fix-speakers", "chief", {"speaks": ["publicity@town-east"]})
    assert (await read(office))["speaks"] == ["publicity@town-east"]
    told: Any = {"reason": "已解决"}
    await office.incident(graded(), IncidentResolved(**told), IncidentClosed(**told))
    assert (await read(office))["speaks"] == []
    assert await office.published()


@pytest.mark.requirement("PUB-15")
async def test_nothing_asks_a_medium_for_removal_or_finds_by_medium(office: Office) -> None:
    document = office.app.openapi()
    paths = {path: methods for path, methods in document["paths"].items() if "/press" in path}
    names = {name for path in paths for name in path.split("/")}
    parameters = {
        one.get("name") or one["$ref"].rpartition("/")[2]
        for methods in paths.values()
        for of in methods.values()
        for one in of.get("parameters", ())
    }
    fields = {
        name
        for model in ("FixSpeakers", "CallConference", "HoldConference", "LogContact", "Contact", "Conference")
        for name in document["components"]["schemas"][model]["properties"]
    }
    banned = ("remov", "delet", "takedown", "block", "journalist", "reporter", "author", "person", "search")
    assert fields >= {"medium", "text", "spoke"}
    assert not [one for one in names | parameters | fields for word in banned if word in one.lower()]
    assert "medium" not in parameters
    assert "/publish/v1/press" not in paths


async def test_the_name_of_a_medium_is_erased_like_all_words(office: Office) -> None:
    id_ = await office.published()
    told = {
        "statement": id_,
        "medium": "县融媒体中心",
        "how": "telephone",
        "spoke": "spokesperson@town-east",
        "text": TEXT,
    }
    assert (await act(office, "log-contact", "handler", told)).status_code == 200
    events = office.runtime.tables["events"]
    async with office.runtime.database.read() as connection:
        stored = (await connection.execute(events.select().where(events.c.stream_id == PRESS))).all()
    (event,) = (Event.parse(row.bytes) for row in stored)
    assert "县融媒体中心" not in event.bytes.decode()
    body = {"stream": PRESS, "refs": [event.data.medium.ref], "cause": "asked", "reason": "媒体要求"}
    for unit in ("town-east", "county"):
        answer = await office.client.post("/publish/v1/words/erase", json=body, headers=office.as_("chief", unit))
        assert answer.status_code == 200, answer.text
    assert (await read(office))["contacts"][0]["medium"] == "[erased]"
