"""A review as it is answered and printed, on both axes. Words are read when they are shown, so erased ones are gone."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import escalation as e
from schemas import review as r
from schemas.envelope import Event
from schemas.fields import instant, parse_instant
from schemas.titles import Language, titled
from services.audit.findings import queries as found
from services.audit.findings.decider import DECIDER as FINDING
from services.audit.findings.decider import State as Finding
from services.audit.histories import folded
from services.audit.histories import histories as histories_of
from services.audit.naming import names_of
from services.audit.queries import Axes
from services.audit.review import seen
from services.audit.review.course import Course
from services.audit.review.decider import DECIDER, Draft, State, state_of
from services.audit.review.document import Document, Part, Table, blocks, written
from services.audit.review.seen import Proposals
from services.audit.review.streams import review_of
from services.audit.review.telling import Teller, rule_told
from services.audit.summaries import Names
from services.audit.views import FINDINGS, LESSONS, TIMELINE
from services.kernel.core.problems import NotFound
from services.kernel.delivery.runtime import Runtime
from services.kernel.store import numbers, words

WRITTEN_REPORT = "written_report"
"""The pack's name of the report that is owed at the end of a matter."""
Read = Callable[[str | None], str | None]


@dataclass(frozen=True)
class Review:
    """A review on these axes, with what its text and its tables rest on."""

    id: str
    incident: str
    number: str | None
    axes: Axes
    events: Sequence[Event]
    state: State
    edition: Event
    """The event of the edition that is shown."""
    names: Names
    course: Course
    """The course that the tables of this edition show."""
    now: Course
    """The course on the axes of the answer."""
    findings: tuple[Mapping[str, Any], ...]
    proposals: Proposals
    read: Read

    @property
    def teller(self) -> Teller:
        """Tells the course of this edition."""
        return Teller(self.course, self.names, self.findings)

    @property
    def is_adopted(self) -> bool:
        """Whether the edition that is shown was adopted."""
        return bool(self.edition.data.edition == self.state.adopted)

    def draft(self) -> str:
        """The text of a draft of this edition."""
        return written(self.teller.draft())

    def text(self, language: Language) -> tuple[str | None, Language]:
        """The text in a language, or in Chinese where the office wrote no other; null if it has not come yet."""
        data = self.edition.data
        if isinstance(data, r.ReviewDrafted):
            return self.draft(), language
        if language == "en" and data.english is not None:
            return self.read(data.english.ref), "en"
        return self.read(data.text.ref), "zh"


async def draft(runtime: Runtime, connection: AsyncConnection, incident: str, size: int) -> Draft | None:
    """The newest draft of a matter in both languages; None if the newest text is none, or has not come here yet."""
    try:
        chinese = await review(runtime, connection, incident, Axes(size), "zh")
    except NotFound:
        return None
    english = await in_language(runtime, connection, chinese, "en")
    if not isinstance(chinese.edition.data, r.ReviewDrafted):
        return None
    return Draft(chinese.draft(), english.draft(), chinese.edition.data.log_size)


async def review(
    runtime: Runtime,
    connection: AsyncConnection,
    incident: str,
    axes: Axes,
    language: Language,
    edition: int | None = None,
) -> Review:
    """The review of a matter, with this edition or the newest one. Raises `NotFound` before its first draft."""
    id_ = review_of(incident)
    events = (await histories_of(connection, [id_], axes)).get(id_, [])
    if not events:
        raise NotFound(
            f"{incident} has no review yet; it is drafted when the matter is over or steady",
            code="review-not-drafted",
            what=incident,
        )
    texts = {one.data.edition: one for one in events if isinstance(one.data, r.ReviewDrafted | r.ReviewEdited)}
    shown = texts.get(max(texts) if edition is None else edition)
    if shown is None:
        raise NotFound(f"the review of {incident} has no edition {edition}", what=f"edition {edition}")
    state = DECIDER.initial_state()
    for event in events:
        state = DECIDER.evolve(state, event)
    offices = await runtime.offices(connection)
    names = await names_of(runtime, connection, axes.size, language)
    now = await seen.course(connection, incident, axes, offices)
    then = _axes_of(shown, axes)
    course = now if then == axes else await seen.course(connection, incident, then, offices)
    refs = [ref for event in events for ref in event.words.values()]
    known = await numbers.of_streams(connection, runtime.service.metadata, {incident})
    return Review(
        id_,
        incident,
        known.get(incident),
        axes,
        events,
        state,
        shown,
        names,
        course,
        now,
        await _findings(connection, course, then, names),
        await seen.proposals(connection, axes, [incident]),
        await words.resolve(connection, runtime.service.metadata, refs),
    )


async def in_language(runtime: Runtime, connection: AsyncConnection, of: Review, language: Language) -> Review:
    """The same review in another language. The record of the matter is not read again."""
    names = await names_of(runtime, connection, of.axes.size, language)
    return replace(
        of, names=names, findings=await _findings(connection, of.course, _axes_of(of.edition, of.axes), names)
    )


def _axes_of(edition: Event, axes: Axes) -> Axes:
    """The axes of the course that an edition tells."""
    return replace(axes, size=min(edition.data.log_size, axes.size))


async def _findings(
    connection: AsyncConnection, course: Course, axes: Axes, names: Names
) -> tuple[Mapping[str, Any], ...]:
    """The findings on the matter, and on those merged into it, that stand on these axes."""
    matters = {one.event.stream for one in course.events if one.event.kind == "incident"}
    chosen = select(FINDINGS.c.finding_id).where(FINDINGS.c.record.in_(sorted(matters)))
    ids = sorted((await connection.execute(chosen)).scalars())
    told = []
    for events in (await histories_of(connection, ids, axes)).values():
        state: Finding = folded(FINDING, events)
        item = found.shown(events, names, None, lambda ref: None)
        if item is None or state.stage not in ("stands", "upheld"):
            continue
        title = names.of("unit", item["unit"], events[-1])
        told.append({**item, "unit_title": title, "rule_told": _rule(item, names)})
    return tuple(sorted(told, key=lambda one: (one["made_at"], one["id"])))


def _rule(item: Mapping[str, Any], names: Names) -> str:
    source = item["source"] or {}
    pack = names.offices.packs.get(item["policy"] or "")
    rule = str(item["rule"])
    if rule.startswith("reading.") or pack is None:
        return str(source.get("title") or rule)
    documents = [code.strip() for code in (source.get("document") or "").split(",") if code]
    return rule_told(pack, rule, source.get("title"), documents, source.get("clause"), names.language)


# the answer


def shown(of: Review, language: Language) -> dict[str, Any]:
    """The fields of the answer, without its basis and without what the caller may do."""
    data = of.edition.data
    text, text_language = of.text(language)
    english = data.english is not None if isinstance(data, r.ReviewEdited) else True
    return {
        "id": of.id,
        "incident_id": of.incident,
        "number": of.number,
        "unit": of.state.unit,
        "drill": of.edition.drill,
        "revision_shown": sum(event.actor != "system" for event in of.events),
        "state": stage(of.state),
        "edition": data.edition,
        "adopted": of.state.adopted,
        "text": text,
        "text_language": text_language,
        "words": _words(data, text_language),
        "has_english": english,
        "editions": [_edition(event, of) for event in of.events if _is_text(event)],
        "parts": [part_of(one) for one in of.teller.parts()],
        "evaluations": evaluations(of),
        "lessons": [lesson(of.events, number, of.state, of.proposals, of.read) for number in of.state.lessons],
        "sent": sent(of),
        "owed": owed(of),
    }


def stage(state: State) -> str:
    """Whether the newest text is a draft, was written by the office, or was adopted."""
    if state.adopted == state.edition:
        return "adopted"
    return "drafted" if state.is_draft else "edited"


def _is_text(event: Event) -> bool:
    return isinstance(event.data, r.ReviewDrafted | r.ReviewEdited)


def _words(data: Any, language: Language) -> str | None:
    if isinstance(data, r.ReviewDrafted):
        return None
    return data.english.ref if language == "en" else data.text.ref  # type: ignore[no-any-return]


def _edition(event: Event, of: Review) -> dict[str, Any]:
    data = event.data
    adopted = [one for one in of.events if isinstance(one.data, r.ReviewAdopted) and one.data.edition == data.edition]
    return {
        "edition": data.edition,
        "draft": isinstance(data, r.ReviewDrafted),
        "cause": data.cause if isinstance(data, r.ReviewDrafted) else None,
        "at": event.recorded_text,
        "by": None if event.actor == "system" else event.actor,
        "log_size": data.log_size,
        "adopted_at": adopted[-1].recorded_text if adopted else None,
        "adopted_by": adopted[-1].actor if adopted else None,
    }


def part_of(part: Any) -> dict[str, Any]:
    """A part of what the record shows, for an answer."""
    pictures = [one for one in (part.chart, *part.more) if one]
    return {
        "title": part.title,
        "charts": [one._asdict() for one in pictures],
        "table": {"head": part.table.head, "rows": part.table.rows} if part.table else None,
        "nothing": part.nothing or None,
    }


def evaluations(of: Review) -> list[dict[str, Any]]:
    """The evaluations, each with its conclusion if it has one."""
    ended = {one.data.evaluation: one for one in of.events if isinstance(one.data, r.ReviewEvaluated)}
    told = []
    for event in of.events:
        if not isinstance(event.data, r.ReviewEvaluationConvened):
            continue
        data, end = event.data, ended.get(event.data.evaluation)
        told.append(
            {
                "evaluation": data.evaluation,
                "members": list(data.members),
                "units": list(data.units),
                "experts": of.read(data.experts.ref) if data.experts else None,
                "at": instant(data.at),
                "convened_at": event.recorded_text,
                "convened_by": event.actor,
                "conclusion": end.data.conclusion if end else None,
                "judgement": of.read(end.data.judgement.ref) if end else None,
                "took_part": list(end.data.took_part) if end else [],
                "evaluated_at": end.recorded_text if end else None,
                "evaluated_by": end.actor if end else None,
            }
        )
    return told


def lesson(events: Iterable[Event], number: int, state: State, proposals: Proposals, read: Read) -> dict[str, Any]:
    """A lesson with what became of it. `overdue` is said by who knows the time of the answer."""
    notes, made, ended = [], None, None
    for event in events:
        if getattr(event.data, "lesson", None) != number:
            continue
        match event.data:
            case r.ReviewLessonAssigned():
                made = event
            case r.ReviewLessonFollowedUp() as data:
                notes.append({"at": event.recorded_text, "by": event.actor, "text": read(data.text.ref)})
            case r.ReviewLessonDone() | r.ReviewLessonDropped():
                ended = event
    assert made is not None, "a lesson was assigned before"
    data = made.data
    end = ended.data if ended else None
    ref = (end.text if isinstance(end, r.ReviewLessonDone) else end.reason).ref if end else None
    return {
        "lesson": number,
        "kind": data.kind,
        "unit": data.unit,
        "post": data.post,
        "text": read(data.text.ref),
        "due": instant(data.due),
        "numbered": data.numbered,
        "answered_by": proposals.by.get(data.numbered) if data.numbered is not None else None,
        "state": state_of(state.lessons[number], proposals.settled),
        "assigned_at": made.recorded_text,
        "assigned_by": made.actor,
        "followed_up": notes,
        "ended_at": ended.recorded_text if ended else None,
        "ended_by": ended.actor if ended else None,
        "ended_text": read(ref),
    }


def sent(of: Review) -> list[dict[str, Any]]:
    """The written reports of this review to the leader, each with its receipt."""
    answers: dict[str, Event] = {}
    for one in of.now.of(e.ClockReceiptGiven, e.ClockReceiptRefused):
        answers.setdefault(one.data.report, one.event)
    told = []
    for one in of.now.of(e.ClockReportedUpward):
        if one.data.review != of.id:
            continue
        receipt = answers.get(one.data.report)
        told.append(
            {
                "report": one.data.report,
                "edition": one.data.edition,
                "unit": one.data.unit,
                "to": f"{one.data.addressee}@{one.data.to}",
                "at": one.event.recorded_text,
                "by": one.event.actor,
                "receipt": receipt
                and {
                    "at": receipt.recorded_text,
                    "by": receipt.actor,
                    "accepted": isinstance(receipt.data, e.ClockReceiptGiven),
                },
            }
        )
    return told


def owed(of: Review) -> dict[str, Any] | None:
    """The written report that the pack asks for at the end of this matter, if it does."""
    limits = [one for one in of.now.limits if one.clock.partition("#")[0] == WRITTEN_REPORT]
    if not limits:
        return None
    last = limits[-1]
    return {"due": instant(last.due), "state": last.ending, "rule": "review.written_report"}


async def lessons(
    connection: AsyncConnection, units: Iterable[str] | None, drill: bool, axes: Axes, after: int | None, limit: int
) -> list[Any]:
    """`review_id, lesson, incident_id, position` of lessons assigned after a position, or from the first, in order."""
    t, of = TIMELINE.c, LESSONS.c
    wanted = [*axes.within(TIMELINE), of.drill == drill]
    if after is not None:
        wanted.append(t.position > after)
    if units is not None:
        wanted.append(of.unit.in_(sorted(units)))
    chosen = select(of.review_id, of.lesson, of.incident_id, t.position).join(TIMELINE, t.event_id == of.event_id)
    return list((await connection.execute(chosen.where(*wanted).order_by(t.position).limit(limit))).all())


# the print


def document(of: Review, language: Language, basis: Mapping[str, Any]) -> Document:
    """The review as it is printed."""
    teller = of.teller
    say, time = teller.say, teller.time
    text, text_language = of.text(language)
    number = of.number or of.incident
    last = of.events[-1]
    unit = of.names.of("unit", of.state.unit or "", last)
    data = of.edition.data
    kind = titled(_kind(of), language)
    adopted = [one for one in of.events if isinstance(one.data, r.ReviewAdopted) and one.data.edition == data.edition]
    facts = [
        (say("编号", "Number"), number),
        (say("责任单位", "Accountable unit"), unit),
        (say("版本", "Edition"), say(f"第 {data.edition} 版（{kind}）", f"{data.edition} ({kind})")),
    ]
    if of.edition.drill:
        facts.append((say("范围", "Scope"), say("演练", "Exercise")))
    if adopted:
        by = of.names.of("post", adopted[-1].actor, adopted[-1])
        facts.append((say("通过", "Adopted"), f"{time(adopted[-1].recorded)} {by}"))
    note = ""
    if text_language != language:
        note = "The office wrote this text in Chinese only."
    missing = say("（文字尚未送达）", "(The text has not arrived yet.)")
    return Document(
        language,
        say(f"关于 {number} 事项的总结报告", f"Review of the matter {number}"),
        f"{unit}　{time(of.edition.recorded)}" if language == "zh" else f"{unit}, {time(of.edition.recorded)}",
        tuple(facts),
        say("一、总结", "1. Review"),
        blocks(text if text is not None else missing),
        text_language,
        say("二、记录所示", "2. What the record shows"),
        (*teller.parts(), *_further(of)),
        _basis(of, basis, language),
        note,
    )


def _kind(of: Review) -> str:
    if of.is_adopted:
        return "review_adopted"
    return "review_draft" if isinstance(of.edition.data, r.ReviewDrafted) else "review_text"


def _further(of: Review) -> list[Any]:
    """Evaluation, lessons and the written report, as on the axes of the answer."""
    teller = of.teller
    say, named, last = teller.say, of.names.of, of.events[-1]
    joined = say("、", ", ")

    def moment(text: str | None) -> str:
        return teller.time(parse_instant(text)) if text else "—"

    told = [
        (
            moment(one["at"]),
            joined.join(
                [
                    *(named("post", post, last) for post in one["members"]),
                    *(named("unit", unit, last) for unit in one["units"]),
                    *([one["experts"]] if one["experts"] else []),
                ]
            ),
            titled(one["conclusion"], of.names.language) if one["conclusion"] else "—",
            one["judgement"] or "—",
        )
        for one in evaluations(of)
    ]
    head = (say("时间", "Time"), say("参加", "Taking part"), say("结论", "Conclusion"), say("意见", "Opinion"))
    nothing = teller.word("nothing")
    parts = [
        Part(
            say("评估", "Evaluation"),
            table=Table(head, tuple(told), 3) if told else None,
            nothing="" if told else nothing,
        )
    ]
    rows = []
    for number in of.state.lessons:
        one = lesson(of.events, number, of.state, of.proposals, of.read)
        state = titled(f"lesson_{one['state']}", of.names.language)
        if one["answered_by"]:
            state += f" ({one['answered_by']})"
        kind = titled(one["kind"], of.names.language)
        if one["numbered"] is not None:
            kind += say(f" 第 {one['numbered']} 号", f" no. {one['numbered']}")
        rows.append((kind, one["text"] or "—", named("post", one["post"], last), moment(one["due"]), state))
    columns = {"种类": "Kind", "拟作改变": "Change", "责任岗位": "Owner", "期限": "Due", "进展": "State"}
    parts.append(
        Part(
            say("经验教训与改变", "Lessons"),
            table=Table(tuple(say(*one) for one in columns.items()), tuple(rows), 1) if rows else None,
            nothing="" if rows else nothing,
        )
    )
    reports = [
        (
            moment(one["at"]),
            _addressee(one["to"], of),
            say(f"第 {one['edition']} 版", f"edition {one['edition']}"),
            f"{moment(one['receipt']['at'])} {named('post', one['receipt']['by'], last)}"
            + ("" if one["receipt"]["accepted"] else say("（退回）", " (sent back)"))
            if one["receipt"]
            else say("未签收", "no receipt yet"),
        )
        for one in sent(of)
    ]
    head = (say("送出", "Sent"), say("收件", "To"), say("版本", "Edition"), say("签收", "Receipt"))
    parts.append(
        Part(
            say("书面报告", "Written report"),
            table=Table(head, tuple(reports), 3) if reports else None,
            nothing="" if reports else nothing,
        )
    )
    return parts


def _addressee(to: str, of: Review) -> str:
    """The title of a post or body, also where it is only the name by which packs call a post."""
    names, last, (code, _, unit) = of.names, of.events[-1], to.partition("@")
    if known := names.post(to, last):
        return known
    title, office = titled(code, names.language), names.of("unit", unit, last)
    return f"{office}{title}" if names.language == "zh" else f"{title} of {office}"


def _basis(of: Review, basis: Mapping[str, Any], language: Language) -> tuple[tuple[str, str], ...]:
    say = of.teller.say
    none = say("未限定", "not limited")
    return (
        (say("表与图依据的记录数", "Events behind tables and charts"), str(of.edition.data.log_size)),
        (say("本件依据的记录数", "Events behind this copy"), str(basis["log_size"])),
        (say("记录的根", "Root of the log"), basis["root"] or "—"),
        (say("截至发生时间", "Happened by"), basis["as_of"] or none),
        (say("截至记录时间", "Recorded by"), basis["known_at"] or none),
    )
