"""The rules of a report, without any I/O."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.fields import Typed
from schemas.ingest import (
    ReportErased,
    ReportErasureAsked,
    ReportEvidenceAttached,
    ReportHelpfulnessGiven,
    ReportReachMeasured,
    ReportReceived,
    ReportRefused,
)
from services.ingest.commands import AttachEvidence, Erase, JudgeAnswer, Reach, ReceiveReport, Refuse, Report
from services.ingest.decider import DECIDER, FUTURE
from services.kernel.core.decider import Actor, Occurred
from services.kernel.core.ids import derived
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from tests.kit.spec import NOW, UUID, At, ctx, given, staff

INTEGRATION = Actor("integration@county", "county", frozenset({"integration"}))
OTHER = Actor("integration@town-east", "town-east", frozenset({"integration"}))
ELSEWHERE = Actor("integration@town-west", "town-west", frozenset({"integration"}))
DIGEST = "ab" * 32
MONTH = timedelta(days=30)
FILE = "f" * 48


def command(**more: Any) -> ReceiveReport:
    fields = {"unit": "town-east", "channel": "board", "subject": "路灯", "text": "不亮", "discovered_at": NOW, **more}
    return ReceiveReport(
        report=Report(**fields),
        match_key=DIGEST,
        duplicate=None,
        sent=None,
        receipt=DIGEST,
        masked={"手机号": 1},
        late_entry=MONTH,
    )


def fact(**more: Any) -> ReportReceived:
    fields = {"unit": "town-east", "channel": "board", "subject": "路灯", "text": "不亮", "discovered_at": NOW, **more}
    return ReportReceived(**fields, match_key=DIGEST, receipt=DIGEST, masked={"手机号": 1})


RECEIVED = At(fact(), actor=INTEGRATION.post, unit="town-east")
EVIDENCE = ReportEvidenceAttached(file=FILE, media_type="image/png", size=3, sha256=DIGEST)
ATTACH = AttachEvidence(file=FILE, media_type="image/png", size=3, sha256=DIGEST)


class TestReceive:
    @pytest.mark.requirement("ING-01")
    def test_keeps_every_field_of_the_report(self) -> None:
        more = {
            "source": "board",
            "external_id": "7",
            "url": "https://gov.example/7",
            "place": "人民路",
            "category": "roads.lighting",
            "request": "修好",
            "reply_ref": "thread 7",
        }
        given(DECIDER, actor=INTEGRATION).when(command(**more)).then(fact(**more))

    @pytest.mark.requirement("ING-03")
    def test_happened_when_the_office_first_knew(self) -> None:
        at = NOW - timedelta(days=2)
        (decided,) = given(DECIDER, actor=INTEGRATION).when(command(discovered_at=at)).decided()
        assert isinstance(decided, Occurred)
        assert (decided.time, decided.unit) == (at, "town-east")
        assert decided.basis

    def test_is_known_no_later_than_it_was_received_although_the_senders_clock_is_ahead(self) -> None:
        (decided,) = given(DECIDER, actor=INTEGRATION).when(command(discovered_at=NOW + FUTURE)).decided()
        assert isinstance(decided, Occurred)
        assert isinstance(decided.data, ReportReceived)
        assert (decided.data.discovered_at, decided.time) == (NOW, NOW)

    @pytest.mark.parametrize(("age", "late"), [(MONTH, False), (MONTH + timedelta(seconds=1), True)])
    def test_marks_an_old_discovery_as_entered_late(self, age: timedelta, late: bool) -> None:
        for at, entered_late in ((NOW - age, late), (datetime(1970, 1, 2, tzinfo=UTC), True)):
            asked = given(DECIDER, actor=INTEGRATION).when(command(discovered_at=at))
            asked.then(fact(discovered_at=at, entered_late=entered_late))

    def test_refuses_the_future(self) -> None:
        late = command(discovered_at=NOW + FUTURE + timedelta(seconds=1))
        given(DECIDER, actor=INTEGRATION).when(late).then_raises(Malformed, "discovered_at lies in the future")

    def test_keeps_when_a_paper_was_written_which_is_after_the_office_knew(self) -> None:
        known, written = NOW - timedelta(hours=9), NOW - timedelta(hours=8)
        paper = command(discovered_at=known, written_at=written)
        given(DECIDER, actor=INTEGRATION).when(paper).then(fact(discovered_at=known, written_at=written))
        for wrong, told in (
            (known - timedelta(seconds=1), "nobody writes down"),
            (NOW + timedelta(hours=1), "written_at lies in the future"),
        ):
            paper = command(discovered_at=known, written_at=wrong)
            given(DECIDER, actor=INTEGRATION).when(paper).then_raises(Malformed, told)

    def test_refuses_an_unknown_unit(self) -> None:
        given(DECIDER, actor=INTEGRATION).when(command(unit="moon")).then_raises(
            Malformed, "no unit has the code 'moon'"
        )

    @pytest.mark.parametrize("given_alone", [{"source": "board"}, {"external_id": "7"}])
    def test_refuses_half_an_external_id(self, given_alone: dict[str, str]) -> None:
        given(DECIDER, actor=INTEGRATION).when(command(**given_alone)).then_raises(Malformed, "come together")

    @pytest.mark.parametrize("actor", [staff("handler"), ELSEWHERE])
    def test_refuses_who_may_not_report_to_the_unit(self, actor: Actor) -> None:
        given(DECIDER, actor=actor).when(command()).then_raises(Forbidden, "to report takes the role")

    def test_takes_it_from_the_officer_on_duty(self) -> None:
        given(DECIDER, actor=staff("duty_officer", unit="town-east")).when(command()).then(fact())

    def test_refuses_a_second_beginning(self) -> None:
        given(DECIDER, RECEIVED, actor=INTEGRATION).when(command()).then_raises(Rejected, "received already")


class TestReach:
    @pytest.mark.requirement("ING-09")
    def test_is_measured_by_who_sent_the_report(self) -> None:
        fact = ReportReachMeasured(clicks=10, measured_at=NOW)
        given(DECIDER, RECEIVED, actor=INTEGRATION).when(Reach(clicks=10, measured_at=NOW)).then(fact)

    def test_is_refused_from_another_integration(self) -> None:
        given(DECIDER, RECEIVED, actor=OTHER).when(Reach(clicks=10, measured_at=NOW)).then_raises(
            Forbidden, "to report the reach"
        )

    def test_needs_a_figure(self) -> None:
        given(DECIDER, RECEIVED, actor=INTEGRATION).when(Reach(measured_at=NOW)).then_raises(Malformed, "at least one")

    def test_is_not_of_the_future(self) -> None:
        tomorrow = Reach(clicks=1, measured_at=NOW + timedelta(days=1))
        given(DECIDER, RECEIVED, actor=INTEGRATION).when(tomorrow).then_raises(Malformed, "measured_at")


class TestEvidence:
    def test_is_attached(self) -> None:
        given(DECIDER, RECEIVED, actor=staff("verifier")).when(ATTACH).then(EVIDENCE)

    def test_is_refused_without_a_right(self) -> None:
        given(DECIDER, RECEIVED, actor=staff("spokesperson")).when(ATTACH).then_raises(Forbidden, "to attach evidence")

    def test_is_refused_after_erasure(self) -> None:
        past = (RECEIVED, ReportErased(refs=()))
        given(DECIDER, *past, actor=INTEGRATION).when(ATTACH).then_raises(Rejected, "erased")


class TestRefuse:
    def test_carries_its_reason(self) -> None:
        case = given(DECIDER, RECEIVED, actor=staff("duty_officer"))
        refused = ReportRefused(reason=Typed(text="重复"), by=case.context.by(case.stream))
        case.when(Refuse(reason="重复")).then(refused)

    def test_happens_once(self) -> None:
        past = (RECEIVED, ReportRefused(reason=Typed(text="重复")))
        given(DECIDER, *past, actor=staff("chief")).when(Refuse(reason="重复")).then_raises(Rejected, "already")

    def test_takes_a_right(self) -> None:
        given(DECIDER, RECEIVED, actor=INTEGRATION).when(Refuse(reason="重复")).then_raises(
            Forbidden, "refuse a report"
        )


REASON = "本人要求"
ABOVE = staff("chief", unit="county", person="above")


def erase(cause: Any = "asked") -> Erase:
    return Erase(cause=cause, reason=REASON)


def asked(by: str = "somebody") -> ReportErasureAsked:
    return ReportErasureAsked(cause="asked", reason=Typed(text=REASON), by=digest_of(by))


def digest_of(person: str) -> str:
    """The digest of a person within the report's stream."""
    return ctx(staff("chief", person=person)).by(given(DECIDER).stream)


class TestErase:
    PAST = (RECEIVED, EVIDENCE, ReportRefused(reason=Typed(text="重复")))

    def test_is_asked_for_by_one_and_done_by_another_of_a_unit_above(self) -> None:
        chief = staff("chief", unit="town-east", person="somebody")
        given(DECIDER, *self.PAST, actor=chief).when(erase()).then(asked())
        (erased,) = given(DECIDER, *self.PAST, asked(), actor=ABOVE).when(erase()).decided()
        assert isinstance(erased, ReportErased)
        assert len(erased.refs) == len(set(erased.refs)) == 3, "the reason of the request stays"
        assert (erased.files, erased.cause, erased.by) == ((FILE,), "asked", digest_of("above"))

    def test_is_not_done_by_the_unit_itself(self) -> None:
        chief = staff("chief", unit="town-east", person="another")
        past = given(DECIDER, *self.PAST, asked(), actor=chief)
        past.when(erase()).then_raises(Forbidden, "over county")

    def test_is_not_done_by_the_person_who_asked(self) -> None:
        given(DECIDER, *self.PAST, asked("above"), actor=ABOVE).when(erase()).then_raises(
            Rejected, "another person of a unit above"
        )

    @pytest.mark.parametrize("person", ["one", "two"])
    def test_takes_two_persons_of_the_root_where_nobody_is_above(self, person: str) -> None:
        city = fact(unit="city")
        past = given(DECIDER, city, asked("one"), actor=staff("chief", unit="city", person=person))
        if person == "one":
            past.when(erase()).then_raises(Rejected, "another person")
        else:
            (erased,) = past.when(erase()).decided()
            assert isinstance(erased, ReportErased)

    def test_is_done_alone_by_an_administrator_of_a_unit_above_where_a_law_orders_it(self) -> None:
        for unit, cause, kind in (
            ("county", "law", ReportErased),
            ("town-east", "law", ReportErasureAsked),
            ("county", "asked", ReportErasureAsked),
        ):
            (fact,) = given(DECIDER, *self.PAST, actor=staff("admin", unit=unit)).when(erase(cause)).decided()
            assert isinstance(fact, kind), (unit, cause)

    def test_is_done_alone_by_who_sent_it_within_an_hour_as_a_mistake(self) -> None:
        sent = At(fact(), time=NOW, actor=INTEGRATION.post)
        in_time = given(DECIDER, sent, actor=INTEGRATION, now=NOW + timedelta(hours=1))
        (erased,) = in_time.when(erase("mistake")).decided()
        assert isinstance(erased, ReportErased)
        given(DECIDER, sent, actor=INTEGRATION).when(erase()).then_raises(Forbidden, "to erase takes the role")
        late = given(DECIDER, sent, actor=INTEGRATION, now=NOW + timedelta(minutes=61))
        late.when(erase("mistake")).then_raises(Forbidden, "to erase takes the role")

    def test_another_person_of_the_same_post_does_not_take_a_report_back(self) -> None:
        sender, colleague = (staff("duty_officer", unit="town-east", person=person) for person in ("one", "two"))
        entered = given(DECIDER, actor=sender)
        by = entered.context.by(entered.stream)
        sent = At(fact().model_copy(update={"by": by}), time=NOW, actor=sender.post)
        (erased,) = given(DECIDER, sent, actor=sender).when(erase("mistake")).decided()
        assert isinstance(erased, ReportErased)
        given(DECIDER, sent, actor=colleague).when(erase("mistake")).then_raises(Forbidden, "to erase takes the role")

    def test_says_nothing_where_nothing_is_left(self) -> None:
        past = (RECEIVED, EVIDENCE, ReportErased(refs=(), files=(FILE,), reason=Typed(text="本人要求")))
        given(DECIDER, *past, actor=staff("admin")).when(erase()).then_nothing()

    def test_takes_a_right_and_a_reason(self) -> None:
        given(DECIDER, RECEIVED, actor=staff("duty_officer")).when(erase()).then_raises(
            Forbidden, "to erase takes the role"
        )
        with pytest.raises(ValidationError):
            Erase.model_validate({"cause": "asked"})


def test_the_holder_of_a_receipt_says_once_for_each_answer_whether_it_helped() -> None:
    incident, first, second = f"incident-{UUID}", UUID, derived("second")
    yes, no = JudgeAnswer(helps=True), JudgeAnswer(helps=False, reason="还没修")
    said = ReportHelpfulnessGiven(incident=incident, answer=first, helps=True)
    unhelped = ReportHelpfulnessGiven(incident=incident, answer=second, helps=False, reason=Typed(text="还没修"))
    start = given(DECIDER, RECEIVED).seeing(answer=(incident, first))
    start.when(yes).then(said)
    start.seeing(answer=None).when(yes).then_raises(Rejected, "has no answer yet")
    again = given(DECIDER, RECEIVED, said)
    again.seeing(answer=(incident, first)).when(no).then_raises(Rejected, "said already whether the latest answer")
    again.seeing(answer=(incident, second)).when(no).then(unhelped)
    both = given(DECIDER, RECEIVED, said, unhelped)
    for answer in (first, second):
        both.seeing(answer=(incident, answer)).when(yes).then_raises(Rejected, "said already")
    erased = ReportErased(refs=())
    gone = given(DECIDER, RECEIVED, erased).seeing(answer=(incident, first))
    gone.when(yes).then_raises(Rejected, "was erased; nothing can be added")
