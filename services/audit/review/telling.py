"""What a review says, in both languages: made only of codes, numbers, times, and titles of what was published."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cached_property
from typing import Any

from schemas import escalation as e
from schemas import publish as p
from schemas import triage as t
from schemas.envelope import Event
from schemas.fields import REACH
from schemas.pack.values import Sourced, sourced
from schemas.titles import Language
from services.audit.findings.matter import Placed
from services.audit.review import charts
from services.audit.review.charts import Moment, Series, Span
from services.audit.review.course import CHANGES, DECISIONS, KEY, Course, Limit, source_of
from services.audit.review.document import Block, Chart, Part, Table
from services.audit.summaries import Names, summary
from services.kernel.core.units import LoadedPack
from services.kernel.rules.clauses import lines

SHOWN = 24
"""So many moments stand in the chart of the course; the table of the record has all."""
MOMENTS = 8
"""So many moments stand in one chart: a figure is never broken, and a long one leaves half a page empty."""
BARS = 30
"""So many limits stand in one chart, which no page could hold with more than 40."""
WORDS: Mapping[str, tuple[str, str]] = {
    "met": ("按时完成", "met"),
    "met_late": ("逾期完成", "met late"),
    "missed": ("逾期未完成", "missed"),
    "annulled": ("逾期已撤销", "breach annulled"),
    "cancelled": ("已取消", "cancelled"),
    "running": ("未到期", "running"),
    "clicks": ("点击", "clicks"),
    "comments": ("评论", "comments"),
    "mainstream_sites": ("主流网站", "mainstream sites"),
    "shares": ("转发", "shares"),
    "origin": ("事情经过", "What happened"),
    "known": ("何时知情", "When it was known"),
    "spread": ("传播情况", "Spread"),
    "decisions": ("决定及其依据", "Decisions and their rules"),
    "limits": ("时限", "Time limits"),
    "statements": ("对外说明", "Statements"),
    "changes": ("更正与变更", "What was changed"),
    "findings": ("成立的认定", "Findings that stand"),
    "lessons": ("经验教训", "Lessons"),
    "when": ("时间", "Time"),
    "what": ("事项", "What"),
    "who": ("岗位", "Post"),
    "rule": ("规则与出处", "Rule and source"),
    "limit": ("时限", "Limit"),
    "unit": ("单位", "Unit"),
    "due": ("到期", "Due"),
    "done": ("完成", "Done"),
    "ending": ("结果", "Result"),
    "title": ("标题", "Title"),
    "day": ("日期", "Date"),
    "count": ("反映件数", "Reports"),
    "nothing": ("记录中没有。", "The record has none."),
}


@dataclass(frozen=True)
class Teller:
    """Tells the course of a matter in one language."""

    course: Course
    names: Names
    findings: Sequence[Mapping[str, Any]] = ()
    """Findings that stand, as answers have them."""

    @cached_property
    def zone(self) -> tzinfo:
        """The time zone of the unit."""
        offices = self.names.offices
        return offices.zone_of(self.course.unit) if self.course.unit in offices.ever else offices.zone

    @property
    def chinese(self) -> bool:
        """Whether it tells in Chinese."""
        return self.names.language == "zh"

    def word(self, code: str) -> str:
        """A fixed word."""
        return WORDS[code][0 if self.chinese else 1]

    def say(self, zh: str, en: str) -> str:
        """One of two sentences."""
        return zh if self.chinese else en

    def time(self, at: datetime) -> str:
        """An instant in the unit's zone."""
        return at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M")

    def of(self, field: str, code: str | None, event: Event) -> str:
        """The title of a code."""
        return self.names.of(field, code, event) if code else "—"

    # the draft

    def draft(self) -> list[Block]:
        """The text of the draft."""
        chapters = {
            "origin": self._origin(),
            "known": self._known(),
            "spread": self._spread(),
            "decisions": self._decisions(),
            "limits": self._limits(),
            "statements": self._statements(),
            "changes": self._changes(),
            "findings": self._findings(),
            "lessons": [
                self.say(
                    "（请写明哪些做法有效、哪些环节迟缓，以及拟作的改变。拟作的改变请逐条登记，指定单位、岗位和期限。）",
                    "(Please write what worked, what was slow, and what is to change. Enter each change as a lesson "
                    "with its unit, its post and a date.)",
                )
            ],
        }
        found = list[Block]()
        for code, paragraphs in chapters.items():
            found += [Block("heading", self.word(code)), *(Block("paragraph", one) for one in paragraphs if one)]
        return found

    def _origin(self) -> Iterator[str]:
        opened = self.course.opened
        if opened is None:
            return
        data: t.IncidentOpened = opened.data
        known = self.course.known_at or data.discovered_at
        unit = self.of("unit", self.course.unit, opened.event)
        is_first = data.channel and data.report not in self.course.gone
        channel = self.of("channel", data.channel, opened.event) if is_first else None
        yield self.say(
            f"{unit}于 {self.time(known)} 获知此事，{self.time(opened.event.recorded)} 立案，"
            f"编号 {data.number}" + (f"，首次反映来自{channel}。" if channel else "。"),
            f"{unit} learned of the matter on {self.time(known)} and opened it on "
            f"{self.time(opened.event.recorded)} under the number {data.number}"
            + (f"; the first report came through {channel}." if channel else "."),
        )
        grades = self.course.own(t.IncidentGraded, t.IncidentRegraded)
        category = self.course.category
        if category or grades:
            level = (
                self.of("level", self.course.level, grades[-1].event) if grades else self.say("未定级", "not graded")
            )
            if category:
                named = self.of("category", category, opened.event)
                yield self.say(f"类别：{named}。", f"Category: {named}.")
            yield self.say(f"最终等级：{level}。", f"Level at the end: {level}.")
        ended = self.course.own(t.IncidentResolved, t.IncidentClosed)
        if ended:
            last, took = ended[-1], ended[-1].event.time - known
            hours = max(0, round(took.total_seconds() / 3600))
            yield self.say(
                f"{self.time(last.event.time)} {summary(last.event, self.names)}，距获知 {hours} 小时"
                f"，共经 {self.course.round} 轮办理。",
                f"On {self.time(last.event.time)}: {summary(last.event, self.names)}, {hours} hours after it was "
                f"known, in {self.course.round} round(s).",
            )

    def _known(self) -> Iterator[str]:
        reports = self.course.reports
        opened = self.course.opened
        if opened is None:
            return
        if reports:
            first = min(reports, key=lambda one: (one.data.discovered_at, one.order))
            unit = self.of("unit", first.data.unit, first.event)
            lag = first.event.recorded - first.data.discovered_at
            minutes = max(0, round(lag.total_seconds() / 60))
            yield self.say(
                f"最早一件反映由{unit}于 {self.time(first.data.discovered_at)} 获知，"
                f"{self.time(first.event.recorded)} 记入系统，相隔 {minutes} 分钟。",
                f"The earliest report was known to {unit} on {self.time(first.data.discovered_at)} and recorded on "
                f"{self.time(first.event.recorded)}, {minutes} minutes later.",
            )
        upward = [one for one in self.course.of(e.ClockReportedUpward) if self._is_own_clock(one)]
        for one in upward[:6]:
            yield self.say(
                f"{self.time(one.event.recorded)} {summary(one.event, self.names)}。",
                f"{self.time(one.event.recorded)}: {summary(one.event, self.names)}.",
            )
        if not upward:
            yield self.say("记录中没有向上级的报告。", "The record has no report upward.")

    def _spread(self) -> Iterator[str]:
        days = self.course.days()
        if not days:
            yield self.word("nothing")
            return
        total, (peak, most) = sum(count for _, count in days), max(days, key=lambda one: one[1])
        yield self.say(
            f"自 {days[0][0]} 至 {days[-1][0]} 共收到反映 {total} 件，最多的一天是 {peak}，{most} 件。",
            f"From {days[0][0]} to {days[-1][0]}, {total} report(s) came in; the most on a day was {most}, on {peak}.",
        )
        if reach := self.course.reach:
            last = reach[-1]
            counts = self.say("、", ", ").join(
                f"{self.word(name)} {last.counts[name]}" for name in REACH if name in last.counts
            )
            yield self.say(
                f"最后一次测得的传播量（{self.time(last.at)}）：{counts}。",
                f"Reach at the last measurement ({self.time(last.at)}): {counts}.",
            )

    def _decisions(self) -> Iterator[str]:
        found = self.course.of(*DECISIONS)
        packs = list(dict.fromkeys(one.event.policy for one in found if one.event.policy))
        named = self.say("、", ", ").join(self.names.pack(one, found[0].event) or one for one in packs)
        yield self.say(
            f"共有 {len(found)} 项决定，逐项依据见下表" + (f"，所依规则为{named}。" if named else "。"),
            f"There were {len(found)} decision(s); the table below has the rule of each"
            + (f". They rest on {named}." if named else "."),
        )

    def _limits(self) -> Iterator[str]:
        found = [one for one in self.course.limits if one.ending != "cancelled"]
        counts = {ending: sum(one.ending == ending for one in found) for ending in ("met", "met_late", "missed")}
        yield self.say(
            f"共有时限 {len(found)} 项：按时完成 {counts['met']} 项，逾期完成 {counts['met_late']} 项，"
            f"逾期未完成 {counts['missed']} 项。",
            f"{len(found)} limit(s) ran: {counts['met']} met in time, {counts['met_late']} met late, "
            f"{counts['missed']} missed.",
        )
        for one in found:
            if one.ending in ("met_late", "missed"):
                name = self.limit_name(one)
                done = self.time(one.done) if one.done else None
                unit = self.of("unit", one.placed.data.unit, one.placed.event)
                yield self.say(
                    f"“{name}”应由{unit}于 {self.time(one.due)} 前完成，"
                    + (f"{done} 才完成。" if done else "没有完成。"),
                    f"{name}: owed by {unit} by {self.time(one.due)}, " + (f"done on {done}." if done else "not done."),
                )

    def _statements(self) -> Iterator[str]:
        found = self.course.of(p.StatementPublished)
        corrected = len(self.course.of(p.StatementCorrected))
        withdrawn = len(self.course.of(p.StatementWithdrawn))
        if not found:
            yield self.say("没有发布说明。", "No statement was published.")
            return
        yield self.say(
            f"共发布 {len(found)} 份说明，首份在 {self.time(found[0].event.time)}；"
            f"更正 {corrected} 次，撤回 {withdrawn} 份。",
            f"{len(found)} statement(s) were published, the first on {self.time(found[0].event.time)}; "
            f"{corrected} correction(s), {withdrawn} withdrawn.",
        )

    def _changes(self) -> Iterator[str]:
        count = len(self.course.of(*CHANGES))
        yield self.say(
            f"更正、改级、移交、重启等变更共 {count} 次，逐次见下表。" if count else "没有更正或变更。",
            f"There were {count} change(s); the table below has each." if count else "Nothing was changed.",
        )

    def _findings(self) -> Iterator[str]:
        count = len(self.findings)
        yield self.say(
            f"至起草时，成立的认定有 {count} 项，见下表。" if count else "至起草时，没有成立的认定。",
            f"{count} finding(s) stood when this was drafted; see the table." if count else "No finding stood then.",
        )

    # what the record shows

    def parts(self) -> tuple[Part, ...]:
        """The tables and charts."""
        return (
            self._course_part(),
            self._spread_part(),
            self._decisions_part(),
            self._limits_part(),
            self._statements_part(),
            self._changes_part(),
            self._findings_part(),
        )

    def _part(
        self, code: str, head: Sequence[str], rows: Iterable[tuple[str, ...]], wide: int = 1, **more: Any
    ) -> Part:
        table = Table(tuple(self.word(one) for one in head), tuple(rows), wide)
        nothing = "" if table.rows or more.get("chart") else self.word("nothing")
        return Part(self.word(code), table=table if table.rows else None, nothing=nothing, **more)

    def _course_part(self) -> Part:
        found = [one for one in self.course.of(*KEY) if one.event.kind != "clock" or self._is_own_clock(one)]
        found.sort(key=lambda one: (one.event.time, one.order))
        shown = found if len(found) <= SHOWN else [*found[: SHOWN // 2], *found[-SHOWN // 2 :]]
        moments = [
            Moment(self.time(one.event.time), summary(one.event, self.names), isinstance(one.data, e.ClockBreached))
            for one in shown
        ]
        left = len(found) - len(shown)
        title = self.say("经过", "The course of the matter")
        told = self.say(
            f"{len(moments)} 个时刻，自上而下；方块表示逾期。" + (f"中间略去 {left} 个。" if left else ""),
            f"{len(moments)} moments from top to bottom; a square is a missed limit."
            + (f" {left} in between are left out." if left else ""),
        )
        drawn = list(self._course_charts(title, told, moments))
        return Part(
            title, chart=next(iter(drawn), None), more=tuple(drawn[1:]), nothing="" if drawn else self.word("nothing")
        )

    def _course_charts(self, title: str, told: str, moments: Sequence[Moment]) -> Iterator[Chart]:
        """The moments as charts that fill what a page has left: one long chart would leave half a page empty."""
        count = -(-len(moments) // MOMENTS)
        for number in range(count):
            named = f"{title} {number + 1}/{count}" if count > 1 else title
            part = moments[number * MOMENTS : (number + 1) * MOMENTS]
            yield Chart(title if number == 0 else named, told, charts.moments(named, told, part))

    def _spread_part(self) -> Part:
        days, zone = self.course.days(), self.zone
        title = self.say("每日反映件数", "Reports by day")
        told = self.say("、", ", ").join(f"{day} {count}" for day, count in days if count)
        chart = Chart(title, told, charts.days(title, told, days)) if len(days) > 1 else None
        rows = [(str(day), str(count)) for day, count in days if count]
        part = self._part("spread", ("day", "count"), rows, chart=chart)
        reach = self.course.reach
        if not reach:
            return part
        series = [
            Series(self.word(name), tuple((one.at, one.counts[name]) for one in reach if name in one.counts))
            for name in REACH
            if any(name in one.counts for one in reach)
        ]
        ends = [
            reach[0].at.astimezone(zone).strftime("%m-%d %H:%M"),
            reach[-1].at.astimezone(zone).strftime("%m-%d %H:%M"),
        ]
        title = self.say("传播量", "Reach")
        told = "; ".join(f"{one.name} {one.points[0][1]}–{one.points[-1][1]}" for one in series)
        return part._replace(more=(Chart(title, told, charts.steps(title, told, series, ends)),))

    def _decisions_part(self) -> Part:
        rows = (
            (
                self.time(one.event.time),
                summary(one.event, self.names),
                self.of("post", one.event.actor, one.event) if one.event.actor != "system" else "—",
                self.rule(one),
            )
            for one in self.course.of(*DECISIONS)
        )
        return self._part("decisions", ("when", "what", "who", "rule"), rows)

    def rule(self, one: Placed, place: str | None = None) -> str:
        """The rule of a decision: its place in the pack, the pack, and the clause of the source document."""
        pack = self.names.offices.packs.get(one.event.policy or "")
        place = place or source_of(one)
        if pack is None:
            return "—"
        found = _placed(pack.model, place)
        if found is None:
            return pack.name
        return rule_told(
            pack, found.place, found.title, found.source.documents, found.source.clause, self.names.language
        )

    def _is_own_clock(self, one: Placed) -> bool:
        return one.event.stream.partition("-")[2] == self.course.id.partition("-")[2]

    def limit_name(self, one: Limit) -> str:
        """The title of a limit."""
        return self.of("clock", one.clock, one.placed.event)

    def _limits_part(self) -> Part:
        found = [one for one in self.course.limits if one.ending != "cancelled"]
        rows = [
            (
                self.limit_name(one),
                self.of("unit", one.placed.data.unit, one.placed.event),
                self.time(one.due),
                self.time(one.done) if one.done else "—",
                self.word(one.ending),
                self.rule(one.placed, f"clocks.{one.clock.partition('#')[0]}"),
            )
            for one in found
        ]
        drawn = list(self._limits_charts(found, rows))
        first, more = next(iter(drawn), None), tuple(drawn[1:])
        return self._part("limits", ("limit", "unit", "due", "done", "ending", "rule"), rows, 5, chart=first, more=more)

    def _limits_charts(self, found: Sequence[Limit], rows: Sequence[tuple[str, ...]]) -> Iterator[Chart]:
        """The limits as charts, each of which has room on a page."""
        count = -(-len(found) // BARS)
        for number in range(count):
            shown = slice(number * BARS, (number + 1) * BARS)
            of, told = found[shown], rows[shown]
            title = self.say("时限", "Time limits") + (f" {number + 1}/{count}" if count > 1 else "")
            said = self.say("；", "; ").join(
                f"{row[0]}：{row[4]}" if self.chinese else f"{row[0]}: {row[4]}" for row in told
            )
            bars = [
                Span(row[0], one.since, one.due, one.done, row[4], one.ending in ("met_late", "missed"))
                for one, row in zip(of, told, strict=True)
            ]
            ends = (
                self.time(min(one.since for one in of)),
                self.time(max(max(one.due, one.done or one.due) for one in of)),
            )
            yield Chart(title, said, charts.spans(title, said, bars, ends))

    def _statements_part(self) -> Part:
        rows = (
            (self.time(one.event.time), self._titled(one), summary(one.event, self.names))
            for one in self.course.of(p.StatementPublished, p.StatementCorrected, p.StatementWithdrawn)
        )
        return self._part("statements", ("when", "title", "what"), rows)

    def _titled(self, one: Placed) -> str:
        title = getattr(one.data, "title", None)
        if title is None:
            of = [x for x in self.course.of(p.StatementPublished) if x.event.stream == one.event.stream]
            title = of[-1].data.title if of else "—"
        return str(title)

    def _changes_part(self) -> Part:
        rows = (
            (
                self.time(one.event.time),
                summary(one.event, self.names),
                self.of("post", one.event.actor, one.event) if one.event.actor != "system" else "—",
            )
            for one in self.course.of(*CHANGES)
        )
        return self._part("changes", ("when", "what", "who"), rows)

    def _findings_part(self) -> Part:
        rows = ((one["unit_title"], one["explanation"], one["rule_told"]) for one in self.findings)
        return self._part("findings", ("unit", "what", "rule"), rows)


def rule_told(
    pack: LoadedPack, place: str, title: str | None, documents: Iterable[str], clause: str | None, language: Language
) -> str:
    """A rule for people: its title, its pack, and in a second line where it stands in its documents."""
    titles, last = pack.model.documents, place.rpartition(".")[2].replace("_", " ")
    named = f"{title or last}（{pack.name}）" if language == "zh" else f"{last} ({pack.name})"
    said = ("、" if language == "zh" else ", ").join(f"《{titles.get(code, code)}》" for code in documents)
    where = " ".join(part for part in (said, lines(clause or "", language)) if part)
    return f"{named}\n{where}" if where else named


def _placed(pack: Any, place: str | None) -> Sourced | None:
    """The rule at a place of a pack; where the place names only its last code, the first one that ends with it."""
    if place is None:
        return None
    first, _, last = place.partition(".")
    found = list(sourced(pack))
    exact = next((one for one in found if one.place == place), None)
    hops = "reports" if first == "clocks" else first
    near = (one for one in found if one.place.split(".")[0] in (first, hops) and one.place.split(".")[-1] == last)
    return exact or next(near, None)
