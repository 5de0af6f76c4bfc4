"""The rules of an incident: every verb in every state, its rights, and what holds after any commands."""

import contextlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas import catalogue, triage
from schemas.answering import IncidentScreened
from schemas.envelope import MAX_BYTES, seal
from schemas.fields import Fact, LevelKnown, Typed
from schemas.ingest import ReportReceived, ReportRefused
from schemas.pack import PackFact
from schemas.pack.source import Source
from schemas.titles import titled
from services.kernel.core.commands import Command
from services.kernel.core.decider import SYSTEM, Actor, Moved, Occurred
from services.kernel.core.ids import derived
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from services.kernel.rules.grading import Grade
from services.triage import commands as c
from services.triage.alike.matching import Matching
from services.triage.answers import Verb
from services.triage.decider import DECIDER
from services.triage.owed import answering_commands as a
from services.triage.reactions import react
from services.triage.rights import RIGHTS, VERBS
from services.triage.state import State
from tests.kit import spec
from tests.kit.spec import NOW, At, Given, _plain, ctx, events, given, staff

HERE = given(DECIDER).stream
REPORTS = tuple(f"report-{derived(str(number))}" for number in range(4))
OTHER = f"incident-{derived('other')}"
STATEMENT = f"statement-{derived('statement')}"
DISCOVERED = NOW - timedelta(hours=1)
LATER_ON = NOW - timedelta(minutes=20)
BASIS = f"{REPORTS[0]}@1"

REF = spec.offices().assigned["city"]
OPENED = triage.IncidentOpened(unit="town-east", report=REPORTS[0], discovered_at=DISCOVERED)
SPLIT_OFF = OPENED.model_copy(update={"split_from": OTHER})
ATTACHED = triage.IncidentReportAttached(report=REPORTS[1], unit="town-east", discovered_at=DISCOVERED)
FLAGGED = (
    At(triage.IncidentFlagSet(flag="food", reason="r"), DISCOVERED),
    triage.IncidentLevelsKnown(levels=(LevelKnown(level="major", known_at=DISCOVERED),)),
)
GRADED = triage.IncidentGraded(level="general", rank=1, reason="r")
ASSIGNED = triage.IncidentAssigned(unit="county-roads")
ACCEPTED = triage.IncidentAccepted(unit="county-roads")
PROBLEM = triage.IncidentSolved(text="t")
ANSWER = triage.IncidentReplied(text="t")
RESOLVED = triage.IncidentResolved(reason="r")
CLOSED = triage.IncidentClosed(reason="r")
REFUSED = tuple(triage.IncidentReportRefused(report=report) for report in REPORTS)
DISMISSED = triage.IncidentDismissed(report_count=2)
SOLVED_AND_REPLIED = (PROBLEM, ANSWER)
REOPENED = triage.IncidentReopened(reason="r")
MERGED = triage.IncidentMerged(into=OTHER)

ESTABLISHED = At(triage.IncidentFactEstablished(key="inspected", kind="yes_no", yes=True, source="s"), unit="county")
STATES: dict[str, tuple[Fact | At, ...]] = {
    "open": (OPENED, ATTACHED, ESTABLISHED, *FLAGGED),
    "assigned": (OPENED, ATTACHED, ESTABLISHED, *FLAGGED, ASSIGNED),
    "accepted": (OPENED, ATTACHED, ESTABLISHED, *FLAGGED, ASSIGNED, ACCEPTED, PROBLEM, ANSWER),
    "resolved": (OPENED, ATTACHED, ESTABLISHED, *FLAGGED, ASSIGNED, ACCEPTED, PROBLEM, ANSWER, RESOLVED),
    "closed": (OPENED, ATTACHED, ESTABLISHED, *FLAGGED, ASSIGNED, ACCEPTED, PROBLEM, ANSWER, RESOLVED, CLOSED),
    "reopened": (OPENED, ATTACHED, ESTABLISHED, *FLAGGED, ASSIGNED, ACCEPTED, PROBLEM, ANSWER, RESOLVED, REOPENED),
    "dismissed": (OPENED, ATTACHED, ESTABLISHED, *FLAGGED, *REFUSED[:2], DISMISSED),
    "merged": (OPENED, ATTACHED, ESTABLISHED, *FLAGGED, MERGED),
}
COMMANDS: dict[str, Command] = {
    "instruct": c.Instruct(text="t"),
    "request-verification": c.RequestVerification(unit="county-water"),
    "request-help": c.RequestHelp(unit="county-water"),
    "conclude-verification": c.ConcludeVerification(outcome="confirmed", text="t"),
    "assess": c.Assess(cause="t", truth="t", trend="t", impact="t"),
    "establish-fact": c.EstablishFact(key="confirmed", kind="yes_no", value=True, source="s"),
    "classify": c.Classify(answer_kind="status"),
    "categorize": c.Categorize(category="utilities.water"),
    "grade": c.Grade(level="major", reason="r"),
    "set-flag": c.SetFlag(flag="health", reason="r"),
    "clear-flag": c.ClearFlag(flag="food", reason="r"),
    "judge-harm": c.JudgeHarm(harm=1, reason="r"),
    "judge-doubt": c.JudgeDoubt(doubtful=True, reason="r"),
    "assign": c.Assign(unit="county-water"),
    "name-team": c.NameTeam(head="chief@county"),
    "make-plan": c.MakePlan(unit="county", post="chief@county", due=NOW + timedelta(days=1), text="t"),
    "start-plan": c.StartPlan(plan="p"),
    "hold-meeting": c.HoldMeeting(meeting="leading_group", units=("county",), took_part=("chief@county",), minutes="m"),
    "pass-upward": c.PassUpward(reason="r"),
    "hand-to-peer": c.HandToPeer(to="city-of-ours", subject="s", reason="r"),
    "tell-peer": c.TellPeer(said="accepted"),
    "designate": c.Designate(unit="county-water", reason="r"),
    "accept": c.Accept(),
    "return": c.Return(ground="need_more", reason="r"),
    "accept-help": c.AcceptHelp(),
    "return-help": c.ReturnHelp(reason="r"),
    "complete-help": c.CompleteHelp(text="t"),
    "transfer": c.Transfer(unit="town-west", reason="r"),
    "move-policy": c.MovePolicy(pack="county-default@99", reason="r"),
    "record-handling": c.RecordHandling(track="answer", text="t"),
    "explain": c.Explain(text="t"),
    "reply": c.Reply(text="t"),
    "solve": c.Solve(text="t"),
    "leave-unsolved": a.LeaveUnsolved(outcome="not_allowed", text="t"),
    "screen": a.Screen(needs_reply=False, ground="no_request"),
    "review-screening": a.ReviewScreening(upheld=True, reason="r"),
    "order-explanation": a.OrderExplanation(text="t"),
    "explain-to-office": a.ExplainToOffice(text="t"),
    "explain-delay": c.ExplainDelay(text="t"),
    "receive-material": c.ReceiveMaterial(unit="county-water", signed=True, sealed=False),
    "propose-measure": c.ProposeMeasure(text="t"),
    "approve": c.ApproveProposal(proposal=1),
    "reject": c.RejectProposal(proposal=1, reason="r"),
    "cannot-judge": c.CannotJudgeProposal(proposal=1, reason="r"),
    "resolve": c.Resolve(reason="r"),
    "follow-up": c.FollowUp(text="t"),
    "decline-round": c.DeclineRound(report=REPORTS[0], reason="r"),
    "reopen": c.Reopen(reason="r"),
    "close": c.Close(reason="r"),
    "merge": c.Merge(into=OTHER),
    "link": c.Link(to=OTHER, kind="related", reason="r"),
    "offer": c.Offer(to="county"),
    "split": c.Split(reports=(REPORTS[1],)),
}
ALLOWED: dict[str, str] = {
    "instruct": "open assigned accepted resolved reopened",
    "request-verification": "open assigned accepted resolved reopened",
    "request-help": "open assigned accepted reopened",
    "establish-fact": "open assigned accepted resolved reopened",
    "conclude-verification": "open assigned accepted resolved reopened",
    "assess": "open assigned accepted resolved reopened",
    "classify": "open assigned accepted resolved reopened",
    "categorize": "open assigned accepted resolved reopened",
    "grade": "open assigned accepted resolved reopened",
    "set-flag": "open assigned accepted resolved reopened",
    "clear-flag": "open assigned accepted resolved reopened",
    "judge-harm": "open assigned accepted resolved reopened",
    "judge-doubt": "open assigned accepted resolved reopened",
    "assign": "open assigned accepted reopened",
    "name-team": "open assigned accepted reopened",
    "make-plan": "open assigned accepted reopened",
    "start-plan": "open assigned accepted reopened",
    "hold-meeting": "open assigned accepted resolved reopened",
    "pass-upward": "open assigned accepted reopened",
    "hand-to-peer": "",
    "tell-peer": "",
    "designate": "",
    "accept": "assigned",
    "accept-help": "",
    "return-help": "",
    "complete-help": "",
    "return": "assigned accepted reopened",
    "transfer": "open assigned accepted reopened",
    "move-policy": "open assigned accepted resolved reopened",
    "record-handling": "open assigned accepted resolved reopened",
    "explain": "open assigned accepted resolved reopened",
    "reply": "open assigned accepted resolved reopened",
    "solve": "open assigned reopened",
    "leave-unsolved": "open assigned reopened",
    "screen": "open assigned accepted reopened",
    "review-screening": "",
    "order-explanation": "open assigned accepted resolved reopened",
    "explain-to-office": "open assigned accepted resolved reopened",
    "explain-delay": "open assigned accepted resolved closed reopened dismissed",
    "receive-material": "open assigned accepted resolved reopened",
    "propose-measure": "",
    "approve": "",
    "reject": "",
    "cannot-judge": "",
    "resolve": "accepted",
    "follow-up": "resolved closed dismissed",
    "decline-round": "",
    "reopen": "resolved closed dismissed",
    "close": "resolved",
    "merge": "open assigned accepted resolved reopened",
    "link": "open assigned accepted resolved closed reopened dismissed",
    "offer": "open assigned accepted resolved reopened",
    "split": "open assigned accepted resolved reopened",
}
"""Verb -> the states in which it is taken. In all others it gives 409."""


def past(*facts: Fact | At, roles: Iterable[str] = ("duty_officer",), unit: str = "city", **seen: Any) -> Given:
    """An incident with these facts, and the post that acts. `belonging` are the reports in the facts."""
    plain = [fact.data if isinstance(fact, At) else fact for fact in facts]
    named = triage.IncidentOpened | triage.IncidentReportAttached
    belonging = [fact.report for fact in plain if isinstance(fact, named)]
    return given(DECIDER, *facts, actor=staff(*roles, unit=unit)).seeing(**{"belonging": belonging, **seen})


def waits(reports: int, report: str | None = None) -> IncidentScreened:
    """No report is left that gets an answer; another post reviews this."""
    return IncidentScreened(needs_reply=False, report_count=reports, report=report, by=None)


def counted(**figures: int) -> triage.IncidentReachCounted:
    """What the first report counted."""
    return triage.IncidentReachCounted(report=REPORTS[0], counted_at=NOW, **figures)


def other(**changes: Any) -> State:
    """The incident into which others are merged."""
    return replace(State(id=OTHER, phase="open", unit="town-west", discovered_at=NOW), **changes)


def test_every_verb_has_its_right_and_its_row() -> None:
    assert set(VERBS) == set(COMMANDS) == set(ALLOWED) == set(get_args(Verb))


@pytest.mark.parametrize("verb", COMMANDS)
@pytest.mark.parametrize("state", STATES)
def test_each_verb_in_each_state(verb: str, state: str) -> None:
    command = COMMANDS[verb]
    into = OTHER if verb == "split" else other()
    case = past(*STATES[state], roles=RIGHTS[type(command)].roles, into=into).when(command)
    if state in ALLOWED[verb].split():
        assert len(case.decided()) == 1
    else:
        case.then_raises(Rejected, HERE)


# Another deployment knows a merged matter by its own number, and is told of it there.
@pytest.mark.parametrize("verb", sorted(set(COMMANDS) - {"tell-peer"}))
def test_a_merged_incident_names_where_it_goes_on(verb: str) -> None:
    right = RIGHTS[type(COMMANDS[verb])]
    past(*STATES["merged"], roles=right.roles, into=other()).when(COMMANDS[verb]).then_raises(Rejected, OTHER)


@pytest.mark.parametrize(
    "verb", sorted(set(COMMANDS) - {"reopen", "follow-up", "explain-delay", "decline-round", "link", "tell-peer"})
)
def test_a_closed_incident_says_to_reopen_it_first(verb: str) -> None:
    right = RIGHTS[type(COMMANDS[verb])]
    past(*STATES["closed"], roles=right.roles, into=other()).when(COMMANDS[verb]).then_raises(
        Rejected, "reopen it first"
    )


WHO = {
    "duty_officer": "hold-meeting classify categorize grade set-flag clear-flag judge-harm judge-doubt assign link "
    "offer request-verification request-help receive-material propose-measure assess screen",
    "verifier": "establish-fact conclude-verification assess",
    "handler": "make-plan accept return accept-help return-help complete-help "
    "record-handling explain reply solve explain-delay receive-material resolve follow-up "
    "propose-measure leave-unsolved explain-to-office",
    "approver": "instruct explain reply approve reject cannot-judge review-screening",
    "chief": "instruct name-team make-plan start-plan hold-meeting pass-upward designate decline-round "
    "transfer hand-to-peer tell-peer move-policy merge link offer split reopen close follow-up request-verification "
    "request-help "
    "explain reply explain-delay approve reject cannot-judge screen review-screening order-explanation "
    "explain-to-office",
}


@pytest.mark.parametrize("verb", COMMANDS)
@pytest.mark.parametrize(
    "role", ["duty_officer", "verifier", "handler", "approver", "chief", "spokesperson", "auditor"]
)
def test_who_may(verb: str, role: str) -> None:
    case = past(*STATES["assigned"], roles=(role,), into=OTHER if verb == "split" else other()).when(COMMANDS[verb])
    if verb in WHO.get(role, "").split():
        with contextlib.suppress(Rejected):  # the state refuses it, not the right
            case.decided()
    else:
        case.then_raises(Forbidden, f"to {titled(verb, 'en')} takes the role")


@pytest.mark.parametrize(
    ("verb", "yes", "no"),
    [
        ("grade", "city county town-east", "town-west county-roads"),
        ("transfer", "city county town-east", "town-west county-roads"),
        ("move-policy", "city county", "town-east town-west county-roads"),
        ("accept", "city county county-roads", "town-east town-west"),
        ("return", "city county county-roads", "town-east town-west"),
        ("record-handling", "city county town-east county-roads", "town-west county-water"),
        ("establish-fact", "city county town-east county-roads", "town-west county-water"),
    ],
)
@pytest.mark.requirement("MUL-01")
def test_over_which_unit(verb: str, yes: str, no: str) -> None:
    command = COMMANDS[verb]
    for unit in yes.split():
        past(*STATES["assigned"], roles=RIGHTS[type(command)].roles, unit=unit).when(command).decided()
    for unit in no.split():
        past(*STATES["assigned"], roles=RIGHTS[type(command)].roles, unit=unit).when(command).then_raises(
            Forbidden, "takes the role"
        )


def test_a_unit_that_was_asked_to_verify_may_establish_facts() -> None:
    asked = triage.IncidentVerificationRequested(unit="county-water")
    case = past(OPENED, asked, roles=("verifier",), unit="county-water").when(COMMANDS["establish-fact"])
    case.then(triage.IncidentFactEstablished(key="confirmed", kind="yes_no", yes=True, source="s"))


def test_a_unit_that_was_asked_to_help_records_its_steps_and_decides_nothing() -> None:
    helps = triage.IncidentHelpRequested(unit="county-water")
    for verb, right in RIGHTS.items():
        case = past(*STATES["accepted"], helps, roles=right.roles, unit="county-water").when(COMMANDS[right.verb])
        if verb is c.RecordHandling:
            case.then(triage.IncidentHandlingRecorded(track="answer", text="t"))
        elif verb in (c.AcceptHelp, c.ReturnHelp, c.CompleteHelp):
            case.decided()
        else:
            case.then_raises(Forbidden, "takes the role")


@pytest.mark.parametrize("ended", [RESOLVED, DISMISSED])
def test_whoever_helps_does_so_until_the_handling_ends(ended: Fact) -> None:
    helps = triage.IncidentHelpRequested(unit="county-water")
    for facts in ((OPENED, helps, ended), (OPENED, helps, ended, REOPENED)):
        case = past(*facts, roles=("handler",), unit="county-water").when(COMMANDS["record-handling"])
        case.then_raises(Forbidden, "takes the role")


class TestGrading:
    @pytest.mark.requirement("TRI-05")
    def test_first(self) -> None:
        case = past(OPENED).when(c.Grade(level="major", reason="a road is closed"))
        case.then(triage.IncidentGraded(level="major", rank=2, reason="a road is closed"))
        [decided] = case.decided()
        assert isinstance(decided, Occurred)
        assert decided.policy is not None
        assert decided.policy.startswith("county-default@2#")
        assert decided.basis == case.given.context.offices.basis

    @pytest.mark.requirement("TRI-05")
    def test_again_keeps_what_was_before(self) -> None:
        past(OPENED, GRADED).when(c.Grade(level="extraordinary", reason="r")).then(
            triage.IncidentRegraded(level="extraordinary", rank=3, previous="general", previous_rank=1, reason="r")
        )

    @pytest.mark.requirement("TRI-05")
    def test_figures_propose_and_stand_in_the_basis(self) -> None:
        case = past(OPENED, counted(comments=600)).when(c.Grade(level="general", reason="one thread, answered"))
        case.then(
            triage.IncidentGraded(
                level="general",
                rank=1,
                reason="one thread, answered",
                proposed="extraordinary",
                rule="extraordinary/comments",
            )
        )

    def test_nothing_measured_proposes_nothing(self) -> None:
        case = past(OPENED).when(c.Grade(level="general", reason="r"))
        case.then(triage.IncidentGraded(level="general", rank=1, reason="r"))

    def test_a_level_above_what_the_figures_say_is_the_persons_own(self) -> None:
        [decided] = past(OPENED, counted(clicks=20)).when(c.Grade(level="major", reason="harm")).decided()
        assert isinstance(decided, Occurred)
        assert isinstance(decided.data, triage.IncidentGraded)
        assert (decided.data.proposed, decided.data.known_at) == ("general", None)

    @pytest.mark.requirement("TRI-08")
    def test_general_is_chosen_by_content_without_any_figure(self) -> None:
        past(OPENED, counted(clicks=0)).when(c.Grade(level="general", reason="a personal request")).then(
            triage.IncidentGraded(
                level="general", rank=1, reason="a personal request", proposed="general", rule="general/otherwise"
            )
        )

    def test_the_same_level_again_is_refused(self) -> None:
        past(OPENED, GRADED).when(c.Grade(level="general", reason="r")).then_raises(Rejected, "graded general already")

    def test_a_level_of_another_pack_is_refused_with_the_packs_own(self) -> None:
        past(OPENED).when(c.Grade(level="IV", reason="r")).then_raises(Malformed, "general, major, extraordinary")


class TestFacts:
    FACT = c.EstablishFact(key="length", kind="number", value=3, source="measured")
    ESTABLISHED = triage.IncidentFactEstablished(key="length", kind="number", number=3, source="measured")

    def when(self, command: Command, *facts: Fact, **seen: Any) -> Any:
        return past(OPENED, *facts, roles=("verifier",), **seen).when(command)

    def test_first_another_and_the_same(self) -> None:
        self.when(self.FACT).then(self.ESTABLISHED)
        self.when(self.FACT, self.ESTABLISHED).then_nothing()
        self.when(self.FACT.model_copy(update={"value": 4}), self.ESTABLISHED).then(
            triage.IncidentFactRevised(key="length", kind="number", number=4, source="measured")
        )

    @pytest.mark.parametrize(
        ("key", "kind", "value", "field", "sentence"),
        [
            ("发帖人是学生", "yes_no", True, "key", "no fact has the code '发帖人是学生'; known are inspected, "),
            ("length", "text", "3", "kind", "length is a fact of the kind number, not text"),
            ("cause_kind", "code", "缠访户", "value", "cause_kind takes one of burst, "),
        ],
    )
    def test_a_fact_is_one_that_the_deployment_lists(
        self, key: str, kind: Any, value: Any, field: str, sentence: str
    ) -> None:
        command = c.EstablishFact(key=key, kind=kind, value=value, source="s")
        with pytest.raises(Malformed, match=sentence) as refused:
            self.when(command).decided()
        assert refused.value.members["field"] == field

    def test_a_fact_is_one_that_the_pack_in_force_lists(self) -> None:
        source = Source(kind="derived", reason="a test")
        added = PackFact(key="pump", title="水泵", title_en="Pumps", kind="number", measure="台", source=source)
        without = self.when(c.EstablishFact(key="pump", kind="number", value=2, source="s"))
        without.then_raises(Malformed)
        offices = without.given.context.offices
        packs = {
            ref: replace(pack, model=pack.model.model_copy(update={"facts": (added,)}))
            for ref, pack in offices.packs.items()
        }
        context = replace(without.given.context, offices=replace(offices, packs=packs))
        replace(without, given=replace(without.given, context=context)).then(
            triage.IncidentFactEstablished(key="pump", kind="number", number=2, source="s")
        )

    def test_of_what_was_merged_into_the_matter_it_is_revised_too(self) -> None:
        absorbed = {"length": self.ESTABLISHED}
        self.when(self.FACT, absorbed=absorbed).then_nothing()
        self.when(self.FACT.model_copy(update={"value": 4}), absorbed=absorbed).then(
            triage.IncidentFactRevised(key="length", kind="number", number=4, source="measured")
        )

    def test_a_text_is_compared_by_its_words(self) -> None:
        known = triage.IncidentFactEstablished(key="cause", kind="text", words="frost", source="s")
        ref = _plain(known).words.ref  # type: ignore[attr-defined]
        command = c.EstablishFact(key="cause", kind="text", value="frost", source="s")
        self.when(command, known, words={ref: "frost"}).then_nothing()
        revised = triage.IncidentFactRevised(key="cause", kind="text", words="frost", source="s")
        for unknown in ({}, {ref: None}, {ref: "rain"}):
            self.when(command, known, words=unknown).then(revised)

    def test_a_time_is_the_same_in_every_offset(self) -> None:
        at = datetime(2026, 3, 2, 1, tzinfo=UTC)
        known = triage.IncidentFactEstablished(key="since", kind="time", at=at, source="s")
        command = c.EstablishFact(key="since", kind="time", value="2026-03-02T09:00:00+08:00", source="s")
        self.when(command).then(known)
        self.when(command, known).then_nothing()

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            ("text", 3),
            ("text", "  "),
            ("text", "x" * 10_001),
            ("number", "3"),
            ("number", True),
            ("number", float("inf")),
            ("number", 1e16),
            ("time", "2026-03-02T09:00:00"),
            ("time", "2026-03-02"),
            ("time", "1700000000"),
            ("time", 1700000000),
            ("time", "0001-01-01T00:00:00+14:00"),
            ("code", "two words"),
            ("code", 7),
            ("code", ""),
            ("yes_no", 1),
            ("yes_no", "true"),
            ("number", None),
            ("text", ["a"]),
        ],
    )
    def test_a_value_that_is_not_of_its_kind(self, kind: Any, value: Any) -> None:
        with pytest.raises(ValidationError) as caught:
            c.EstablishFact(key="k", kind=kind, value=value, source="s")
        assert caught.value.errors()[0]["loc"] == ("value",)


class TestAnswerKind:
    @pytest.mark.requirement("TRI-04")
    @pytest.mark.parametrize("kind", ["answer", "status", "clarification", "adoption"])
    def test_each_of_the_four(self, kind: Any) -> None:
        past(OPENED).when(c.Classify(answer_kind=kind)).then(triage.IncidentClassified(answer_kind=kind))

    @pytest.mark.requirement("TRI-04")
    def test_no_word_for_a_speaker(self) -> None:
        with pytest.raises(ValidationError):
            c.Classify(answer_kind="fabrication")  # type: ignore[arg-type]

    def test_the_same_again_is_refused(self) -> None:
        classified = triage.IncidentClassified(answer_kind="status")
        past(OPENED, classified).when(c.Classify(answer_kind="status")).then_raises(Rejected, "already")

    def test_a_category_is_set_and_corrected(self) -> None:
        water = triage.IncidentCategorized(category="utilities.water")
        past(OPENED).when(c.Categorize(category="utilities.water")).then(water)
        lighting = triage.IncidentCategorized(category="roads.lighting", previous="utilities.water", reason="r")
        past(OPENED, water).when(c.Categorize(category="roads.lighting", reason="r")).then(lighting)
        past(OPENED, water).when(c.Categorize(category="utilities.water")).then_raises(Rejected, "already")
        again = past(OPENED.model_copy(update={"category": "utilities.water"}), lighting)
        again.when(c.Categorize(category="roads.lighting")).then_raises(Rejected, "already")
        again.when(c.Categorize(category="utilities.water")).then(
            triage.IncidentCategorized(category="utilities.water", previous="roads.lighting")
        )

    def test_a_category_that_no_list_has_is_refused(self) -> None:
        past(OPENED).when(c.Categorize(category="gossip")).then_raises(Malformed, "no category has the code")


class TestAssigning:
    @pytest.mark.requirement("TRI-10")
    def test_one_unit_at_a_time(self) -> None:
        past(OPENED, ASSIGNED).when(c.Assign(unit="county-water", reason="the main")).then(
            triage.IncidentAssigned(unit="county-water", reason="the main")
        )
        state = past(OPENED, ASSIGNED, ACCEPTED, triage.IncidentAssigned(unit="county-water")).state
        assert (state.assigned, state.accepted) == ("county-water", False)

    def test_the_same_unit_again_is_refused(self) -> None:
        past(OPENED, ASSIGNED).when(c.Assign(unit="county-roads")).then_raises(Rejected, "already")

    @pytest.mark.parametrize("verb", [c.Assign, c.Transfer, c.RequestVerification])
    def test_an_unknown_unit_is_named(self, verb: Any) -> None:
        more = {"reason": "r"} if verb is c.Transfer else {}
        past(OPENED, roles=("duty_officer", "chief")).when(verb(unit="nowhere", **more)).then_raises(
            Malformed, "nowhere"
        )

    def test_accepting_and_returning_say_which_unit(self) -> None:
        roads: dict[str, Any] = {"roles": ("handler",), "unit": "county-roads"}
        past(OPENED, ASSIGNED, **roads).when(c.Accept()).then(ACCEPTED)
        returned = triage.IncidentReturned(unit="county-roads", reason="not ours", ground="need_more")
        past(OPENED, ASSIGNED, ACCEPTED, **roads).when(c.Return(ground="need_more", reason="not ours")).then(returned)
        assert past(OPENED, ASSIGNED, ACCEPTED, returned).state.assigned is None

    def test_the_earlier_accountable_unit_is_named(self) -> None:
        transferred = triage.IncidentTransferred(unit="town-west", previous="town-east", reason="their road")
        command = c.Transfer(unit="town-west", reason="their road")
        past(OPENED, ASSIGNED, roles=("chief",)).when(command).then(transferred)
        assert past(OPENED, ASSIGNED, transferred).state.assigned == "county-roads"
        again = past(OPENED, transferred, roles=("chief",)).when(command)
        again.then_raises(Rejected, "accountable")


@pytest.mark.requirement("TRI-17")
@pytest.mark.parametrize(
    ("recorded", "missing"),
    [
        ((), "first solve the real problem, and explain, reply or publish the facts"),
        ((PROBLEM,), "first explain, reply or publish the facts"),
        ((ANSWER,), "first solve the real problem$"),
        ((triage.IncidentHandlingRecorded(track="problem", text="t"),), "first solve the real problem, and"),
    ],
)
def test_resolving_needs_both_tracks(recorded: tuple[Fact, ...], missing: str) -> None:
    case = past(OPENED, *recorded, roles=("handler",)).when(c.Resolve(reason="r"))
    case.then_raises(Rejected, missing)


@pytest.mark.requirement("TRI-17")
def test_reopening_asks_for_both_tracks_anew() -> None:
    case = past(*STATES["reopened"], roles=("handler",)).when(c.Resolve(reason="r"))
    case.then_raises(Rejected, "first solve the real problem, and explain, reply or publish the facts")


class TestMergingAndSplitting:
    def merge(self, **changes: Any) -> Any:
        return past(OPENED, roles=("chief",), into=other(**changes)).when(c.Merge(into=changes.get("id", OTHER)))

    def test_merging(self) -> None:
        self.merge().then(triage.IncidentMerged(into=OTHER))

    def test_what_is_refused(self) -> None:
        self.merge(id=HERE).then_raises(Rejected, "itself")
        third = f"incident-{derived('third')}"
        self.merge(phase="merged", merged_into=third).then_raises(Rejected, third)
        self.merge(phase="closed").then_raises(Rejected, "reopen it first")
        self.merge(drill=True).then_raises(Rejected, "exercise")

    def test_a_right_over_both_is_needed(self) -> None:
        case = past(OPENED, roles=("chief",), unit="town-east", into=other()).when(c.Merge(into=OTHER))
        case.then_raises(Forbidden, "town-west")

    def absorb(self, *facts: Fact, **changes: Any) -> Any:
        """The incident with these facts, after another one with these changes was merged into it."""
        leaving = other(report_count=1, **changes)
        return past(OPENED, *facts, leaving=leaving, reports=[REPORTS[2]]).when(c.Absorb(incident=OTHER))

    def absorbed(self, since: datetime = DISCOVERED, **more: Any) -> triage.IncidentAbsorbed:
        return triage.IncidentAbsorbed(incident=OTHER, reports=(REPORTS[2],), discovered_at=since, **more)

    def test_the_earlier_first_knowledge_counts(self) -> None:
        for known in (DISCOVERED - timedelta(days=1), NOW):
            absorbed = self.absorbed(min(known, DISCOVERED))
            self.absorb(discovered_at=known).then(absorbed)
            state = past(OPENED, absorbed).state
            assert (state.discovered_at, state.report_count) == (absorbed.discovered_at, 2)

    def test_many_reports_go_over_in_events_that_fit_on_a_topic(self) -> None:
        reports = [f"report-{derived(str(number))}" for number in range(30_000)]
        refused = frozenset((reports[0], *reports[20_000:]))
        leaving = other(report_count=len(reports), handled=frozenset({"problem"}), refused=refused)
        decided = past(OPENED, leaving=leaving, reports=reports).when(c.Absorb(incident=OTHER)).decided()
        facts: list[Any] = [item.data if isinstance(item, Occurred) else item for item in decided]
        assert [report for fact in facts for report in fact.reports] == reports
        assert max(len(fact.model_dump_json()) for fact in facts) < MAX_BYTES / 2
        state = past(OPENED, *facts).state
        assert (state.report_count, state.refused, state.handled) == (30_001, refused, {"problem"})

    def test_a_report_that_came_back_by_a_merger_is_refused_where_it_is(self) -> None:
        split = triage.IncidentSplit(into=OTHER, reports=(REPORTS[2],))
        given(DECIDER, OPENED, ATTACHED, split, self.absorbed()).when(
            c.RecordRefusal(report=REPORTS[2], basis=BASIS)
        ).then(triage.IncidentReportRefused(report=REPORTS[2]))

    @pytest.mark.parametrize(
        ("grades", "level", "here", "steps"),
        [
            ((("major", None),), "major", "general", [("major", DISCOVERED)]),
            ((("general", None), ("major", LATER_ON)), "major", "general", [("major", LATER_ON)]),
            ((("general", None), ("major", LATER_ON)), "major", None, [("general", DISCOVERED), ("major", LATER_ON)]),
            ((("major", None), ("extraordinary", LATER_ON)), "extraordinary", "general",
             [("major", DISCOVERED), ("extraordinary", LATER_ON)]),
            ((("extraordinary", LATER_ON), ("major", NOW)), "major", "general", [("major", LATER_ON)]),
            ((("general", None),), "general", None, [("general", DISCOVERED)]),
            ((("major", None),), "major", "major", []),
            ((("general", None),), "general", "major", []),
            ((), None, "general", []),
            ((("grave", None),), "grave", "general", []),
        ],
    )  # fmt: skip
    def test_the_stricter_level_goes_along_with_when_it_could_be_known(
        self, grades: Any, level: str | None, here: str | None, steps: list[tuple[str, datetime]]
    ) -> None:
        ranks = {"general": 1, "major": 2, "extraordinary": 3}
        facts = [triage.IncidentGraded(level=here, rank=ranks[here], reason="r")] if here else []
        brought: list[Fact] = []
        for code, known in steps:
            given_: dict[str, Any] = {"level": code, "rank": ranks[code], "known_at": known, "taken_from": OTHER}
            if here is None:
                brought.append(triage.IncidentGraded(**given_))
            else:
                brought.append(triage.IncidentRegraded(previous=here, previous_rank=ranks[here], **given_))
            here = code
        case = self.absorb(*facts, grades=tuple(Grade(*one) for one in grades), level=level)
        case.then(self.absorbed(), *brought)
        assert all(one.policy for one in case.decided() if isinstance(one, Occurred))

    def test_what_it_lacks_goes_along_and_what_it_has_stays(self) -> None:
        had: dict[str, Any] = {
            "assigned": "county-roads", "accepted": True, "verifying": frozenset({"county-water"}),
            "helping": frozenset({"county-education"}),
            "answer_kind": "status", "category": "utilities.water",
            "handled": frozenset({"problem"}), "refused": frozenset({REPORTS[2]}),
        }  # fmt: skip
        absorbed = self.absorbed(handled=("problem",), refused=(REPORTS[2],))
        self.absorb(**had).then(
            absorbed,
            triage.IncidentClassified(answer_kind="status", taken_from=OTHER),
            triage.IncidentCategorized(category="utilities.water", taken_from=OTHER),
            triage.IncidentAssigned(unit="county-roads", taken_from=OTHER),
            triage.IncidentAccepted(unit="county-roads", taken_from=OTHER),
            triage.IncidentVerificationRequested(unit="county-water", taken_from=OTHER),
            triage.IncidentHelpRequested(unit="county-education"),
        )
        own = (
            triage.IncidentAssigned(unit="town-east"),
            triage.IncidentClassified(answer_kind="answer"),
            triage.IncidentCategorized(category="roads"),
            triage.IncidentVerificationRequested(unit="county-water"),
            triage.IncidentHelpRequested(unit="county-education"),
        )
        self.absorb(*own, **had).then(absorbed)
        state = past(OPENED, *own, absorbed).state
        assert (state.handled, state.refused, state.assigned) == ({"problem"}, {REPORTS[2]}, "town-east")
        assert state.category == "roads"

    def test_splitting(self) -> None:
        case = past(OPENED, ATTACHED, roles=("chief",), into=OTHER)
        command = c.Split(reports=(REPORTS[1], REPORTS[1]))
        case.when(command).then(triage.IncidentSplit(into=OTHER, reports=(REPORTS[1],)))
        case.when(c.Split(reports=REPORTS[:2])).then_raises(Rejected, "at least one stays")
        case.when(c.Split(reports=(REPORTS[3],))).then_raises(Rejected, REPORTS[3])

    def test_splitting_the_only_report_that_is_to_be_answered_lets_what_stays_wait_for_a_review(self) -> None:
        case = past(OPENED, ATTACHED, REFUSED[0], roles=("chief",), into=OTHER)
        case.when(c.Split(reports=(REPORTS[1],))).then(
            triage.IncidentSplit(into=OTHER, reports=(REPORTS[1],)), waits(1, REPORTS[0])
        )
        received = c.Received(report=REPORTS[0], unit="town-east", discovered_at=DISCOVERED)
        command = c.OpenSplit(split_from=OTHER, unit="town-east", reports=(received,), refused=(REFUSED[0],))
        given(DECIDER).when(command).then(SPLIT_OFF, REFUSED[0], waits(1, REPORTS[0]))

    def test_the_new_incident(self) -> None:
        received = tuple(
            c.Received(report=report, unit="town-east", discovered_at=DISCOVERED) for report in REPORTS[:2]
        )
        command = c.OpenSplit(split_from=OTHER, unit="town-east", reports=received)
        given(DECIDER).when(command).then(SPLIT_OFF, ATTACHED)
        handled = command.model_copy(update={"assigned": "county-roads", "accepted": True})
        given(DECIDER).when(handled).then(
            SPLIT_OFF,
            ATTACHED,
            triage.IncidentAssigned(unit="county-roads", taken_from=OTHER),
            triage.IncidentAccepted(unit="county-roads", taken_from=OTHER),
        )


OWN = f"incident-{derived('own')}"
ATTACH = c.TakeReport(unit="town-east", report=REPORTS[1], discovered_at=DISCOVERED, opens=OWN, basis=BASIS)
REFUSE = [c.RecordRefusal(report=report, basis=BASIS) for report in REPORTS]
PUBLISHED = c.RecordAnswerPublished(statement=STATEMENT, unit="town-east", basis=BASIS)
OPEN = c.TakeReport(unit="town-east", report=REPORTS[0], discovered_at=DISCOVERED, opens=OWN, basis=BASIS)
LATER = c.TakeReport(unit="town-east", report=REPORTS[3], discovered_at=NOW, opens=OWN, basis=BASIS)


class TestWhatOtherServicesCause:
    """Only the reactions ensure that a report joins once, and that only its own incident learns of its refusal."""

    def test_opening(self) -> None:
        given(DECIDER).when(OPEN).then(OPENED.model_copy(update={"policy": REF}))

    def test_attaching(self) -> None:
        given(DECIDER, OPENED).when(ATTACH).then(ATTACHED)

    def test_a_report_that_belongs_already_is_not_taken_again(self) -> None:
        received = ReportReceived(
            unit="town-east",
            channel="board",
            discovered_at=DISCOVERED,
            subject=Typed(text="s"),
            text=Typed(text="t"),
            match_key="0" * 64,
            receipt="1" * 64,
        )
        (event,) = events("report", [received])
        assert list(react(event, Matching({event.stream: HERE}))) == []
        assert len(list(react(event, Matching()))) == 1

    def test_a_refusal_of_what_belongs_nowhere_is_nobodys(self) -> None:
        (event,) = events("report", [ReportRefused(reason=Typed(text="r"))])
        assert list(react(event, Matching())) == []
        assert [reaction.stream for reaction in react(event, Matching({event.stream: HERE}))] == [HERE]

    @pytest.mark.parametrize("state", ["resolved", "closed", "dismissed"])
    def test_a_report_of_what_is_over_opens_one_that_names_it(self, state: str) -> None:
        with pytest.raises(Moved) as moved:
            given(DECIDER, *STATES[state]).when(LATER).decided()
        assert moved.value.to == OWN
        given(DECIDER).when(moved.value.command).then(
            triage.IncidentOpened(unit="town-east", report=REPORTS[3], discovered_at=NOW, relates_to=HERE, policy=REF)
        )

    def test_a_published_answer_once(self) -> None:
        answered = triage.IncidentHandlingRecorded(track="answer", statement=STATEMENT)
        given(DECIDER, OPENED).when(PUBLISHED).then(answered)
        given(DECIDER, OPENED, answered).when(PUBLISHED).then_nothing()

    def test_refusing_the_last_report_that_was_to_be_answered_waits_for_a_review_which_ends_the_matter(self) -> None:
        given(DECIDER, OPENED, ATTACHED).when(REFUSE[0]).then(REFUSED[0])
        given(DECIDER, OPENED, ATTACHED, REFUSED[0]).when(REFUSE[0]).then_nothing()
        given(DECIDER, OPENED, ATTACHED, REFUSED[0]).when(REFUSE[1]).then(REFUSED[1], waits(2, REPORTS[1]))
        review = a.ReviewScreening(upheld=True, reason="r")
        waiting = (OPENED, ATTACHED, *REFUSED[:2], waits(2, REPORTS[1]))
        upheld, ended = past(*waiting, roles=("chief",), unit="town-east").when(review).decided()
        assert (upheld.data.upheld, ended) == (True, DISMISSED)  # type: ignore[union-attr]
        overturned = past(*waiting, upheld.data.model_copy(update={"upheld": False}))  # type: ignore[union-attr]
        assert (overturned.state.phase, overturned.state.refused) == ("open", frozenset())
        past(*waiting).when(a.Screen(needs_reply=True)).then_raises(Rejected, "another post reviews that first")

    @pytest.mark.parametrize("ended", [RESOLVED, CLOSED])
    def test_what_is_over_is_not_ended_once_more(self, ended: Fact) -> None:
        given(DECIDER, OPENED, ended).when(REFUSE[0]).then(REFUSED[0])

    def test_a_refusal_follows_the_report_that_left(self) -> None:
        split = triage.IncidentSplit(into=OTHER, reports=(REPORTS[1],))
        with pytest.raises(Moved) as moved:
            given(DECIDER, OPENED, ATTACHED, split).when(REFUSE[1]).decided()
        assert moved.value.to == OTHER

    def test_a_matter_that_is_opened_again_after_it_was_dismissed_goes_on(self) -> None:
        past_ = (OPENED, REFUSED[0], triage.IncidentDismissed(report_count=1), REOPENED)
        given(DECIDER, *past_).when(LATER).then(
            triage.IncidentReportAttached(report=REPORTS[3], unit="town-east", discovered_at=NOW)
        )

    def test_what_an_office_above_reopened_is_not_ended_by_a_further_refusal_or_a_split(self) -> None:
        past_ = (*STATES["dismissed"], REOPENED)
        further = ATTACHED.model_copy(update={"report": REPORTS[2]})
        given(DECIDER, *past_, further).when(REFUSE[2]).then(REFUSED[2])
        split = triage.IncidentSplit(into=OTHER, reports=(REPORTS[1],))
        case = given(DECIDER, *past_, actor=staff("chief", unit="town-east"))
        case = case.seeing(into=OTHER, belonging=REPORTS[:2])
        case.when(c.Split(reports=(REPORTS[1],))).then(split)
        # one that was refused while others were answered stays refused
        resolved = (OPENED, ATTACHED, REFUSED[0], RESOLVED, REOPENED)
        given(DECIDER, *resolved).when(REFUSE[1]).then(REFUSED[1], waits(2, REPORTS[1]))

    @pytest.mark.parametrize("command", [ATTACH, PUBLISHED, REFUSE[0], REFUSE[1]])
    @pytest.mark.parametrize("state", [*STATES, "new"])
    def test_no_state_refuses_it(self, state: str, command: Command) -> None:
        case = given(DECIDER, *STATES.get(state, ())).when(command)
        if state == "merged":
            with pytest.raises(Moved) as moved:
                case.decided()
            assert moved.value.to == OTHER
        else:
            with contextlib.suppress(Moved):
                case.decided()

    def test_who_received_is_who_acted(self) -> None:
        [decided] = given(DECIDER).when(OPEN).decided()
        assert isinstance(decided, Occurred)
        assert (decided.unit, decided.basis) == ("town-east", (BASIS,))


class TestAnySequence:
    """Any commands in any order, by a post with every right."""

    ALL = (
        *COMMANDS.values(),
        OPEN,
        ATTACH,
        PUBLISHED,
        *REFUSE[:2],
        c.Grade(level="general", reason="r"),
        c.Assign(unit="county-roads"),
        c.RecordHandling(track="problem", text="t"),
    )

    @settings(max_examples=150, deadline=None)
    @examples(st.lists(st.sampled_from(ALL), max_size=25))
    def test_keeps_what_must_hold(self, commands: list[Command]) -> None:
        everyone = Actor(
            "everyone@city", "city", frozenset(role for right in RIGHTS.values() for role in right.roles), "p"
        )
        state, last, belonging = DECIDER.initial_state(), None, set[str]()
        read, counted = DECIDER.initial_state(), 0
        for number, command in enumerate((OPEN, *commands)):
            actor = everyone if type(command) in RIGHTS else SYSTEM
            if isinstance(command, c.TakeReport) and command.report in belonging:
                continue
            if isinstance(command, c.RecordRefusal) and command.report not in belonging:
                continue
            seen = {"into": OTHER if isinstance(command, c.Split) else other(), "belonging": belonging}
            try:
                decided = DECIDER.decide(state, command, ctx(actor, cause=str(number), seen=seen))
            except (Rejected, Moved):
                continue
            before = state
            for item in decided:
                fact = item.data if isinstance(item, Occurred) else item
                last = seal(
                    _plain(fact),
                    id=derived(str(number)),
                    source="/huiying/test/triage",
                    stream=HERE,
                    version=last.version + 1 if last else 1,
                    previous=last.digest if last else None,
                    time=NOW,
                    recorded=NOW,
                    partitionkey=HERE,
                    actor=actor.post,
                )
                state = DECIDER.evolve(state, last)
                if isinstance(fact, triage.IncidentReportAttached):
                    counted += 1
                else:
                    read = DECIDER.evolve(read, last)
                if isinstance(fact, triage.IncidentOpened | triage.IncidentReportAttached):
                    belonging.add(fact.report)
                elif isinstance(fact, triage.IncidentSplit):
                    belonging.difference_update(fact.reports)
            self.check(before, state, belonging)
            assert DECIDER.count(read, counted) == state, "what is counted is the same as what is read"

    @staticmethod
    def check(before: State, state: State, belonging: set[str]) -> None:
        assert state.phase != "new"
        assert (state.phase == "merged") == (state.merged_into is not None)
        assert before.phase != "merged" or state == before
        assert not state.accepted or state.assigned is not None
        assert state.report_count == len(belonging) >= 1
        assert (state.level is None) == (state.rank == 0)
        if state.phase == "resolved" and before.phase != "resolved":
            assert before.phase == "open"
            assert before.handled == {"problem", "answer"}
        if state.phase == "dismissed" and before.phase != "dismissed":
            assert before.phase == "open"
            assert state.refused == belonging
        if state.phase == "closed" and before.phase != "closed":
            assert before.phase == "resolved"
        if before.discovered_at is not None:
            assert state.discovered_at is not None
            assert state.discovered_at <= before.discovered_at

    def test_no_event_of_the_catalogue_breaks_the_state(self) -> None:
        """This includes verbs that later work adds and this decider does not know."""
        words = {"ref": derived("w"), "digest": "0" * 64}
        filled: dict[str, Any] = {
            "unit": "county", "report": REPORTS[0], "reports": [REPORTS[0]], "discovered_at": NOW, "into": OTHER,
            "incident": OTHER, "text": words, "reason": words, "source": words, "minutes": words, "measure": words,
            "key": "k", "kind": "number", "number": 1, "answer_kind": "status", "category": "roads",
            "level": "major", "rank": 2, "previous": "general", "previous_rank": 1,
            "posts": ["chief"], "plan": "p", "units": ["county"],
            "signed": True, "sealed": True, "policy": REF, "track": "answer", "report_count": 1, "levels": (),
            "proposal": 1, "of": "measure", "chain": "c", "step": "s", "steps": (), "who": "w", "last": True,
            "post": "chief@county", "by": "0" * 64, "flag": "food", "counted_at": NOW, "harm": 1, "doubtful": True,
            "cause": "closed", "answer": derived("a"), "helps": True, "head": "chief@county", "due": NOW,
            "meeting": "joint", "took_part": ("chief@county",), "designates": "county",
            "needs_reply": False, "upheld": True, "proposed_reply": True,
            "about": derived("about"), "message": f"message-{derived('m')}", "matter": OTHER, "said": "accepted",
            "outcome": "confirmed", "truth": words, "trend": words, "impact": words,
        }  # fmt: skip
        for name, model in catalogue.types().items():
            if not name.startswith("huiying.incident."):
                continue
            data = {field: filled[field] for field in model.model_fields if field in filled}
            if name == "huiying.incident.opened.v1":
                data["number"] = "county-2026-00001"
            if name == "huiying.incident.clarification_opened.v1":
                data["cause"] = "not_in_line"
            if name == "huiying.incident.assessed.v1":
                data["cause"] = words
            if name == "huiying.incident.transferred.v1":
                data["previous"] = "county"
            if name in ("huiying.incident.explained.v1", "huiying.incident.proposed.v1"):
                data["to"] = "asker"
            if name == "huiying.incident.proposal_referred.v1":
                data["to"] = "chief"
            if name == "huiying.incident.proposal_withdrawn.v1":
                data["cause"] = "closed"
            if name == "huiying.incident.policy_moved.v1":
                data["previous"] = REF
            if name == "huiying.incident.solved.v1":
                data["outcome"] = "helped"
            if name == "huiying.incident.left_unsolved.v1":
                data["outcome"] = "planned"
            if name == "huiying.incident.unit_explained.v1":
                data["proposed_reply"] = words
            if name == "huiying.incident.linked.v1":
                data |= {"to": OTHER, "kind": "related"}
            if name == "huiying.incident.offered.v1":
                data["to"] = "county"
            if name in ("huiying.incident.handed_over.v1", "huiying.incident.peer_told.v1"):
                data["to"] = "city"
            if name == "huiying.incident.handed_over.v1":
                data |= {"subject": words, "reports": ()}
            if name == "huiying.incident.peer_heard.v1":
                data["of"] = "city"
            past(OPENED, model.model_validate(data)).state  # noqa: B018
