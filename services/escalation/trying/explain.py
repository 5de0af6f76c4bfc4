"""Why a matter owes what it owes, in Chinese: each rule with what it looked at, its clause and its quotation."""

from collections.abc import Container, Iterable, Iterator
from datetime import datetime, timedelta, tzinfo
from typing import Any

from pydantic import TypeAdapter

from schemas.fields import instant, parse_instant
from schemas.pack import PolicyPack
from schemas.pack.source import Source
from schemas.titles import titled
from services.escalation.clock import growth
from services.escalation.trying.evaluate import Matter, answer, derived, rule_of, sources
from services.escalation.upward import obligations
from services.kernel.rules import grading

BASES = {
    "stated": "原文规定",
    "reading": "对原文的理解",
    "combined": "合并多份文件",
    "derived": "本系统自定",
    "unset": "原文未定，由单位设定",
    "lost": "原文缺失，由单位设定",
}
STATES = {"running": "进行中", "met": "按时完成", "late": "逾期完成", "breached": "已逾期", "cancelled": "不再适用"}
RUNGS = {"reminder": "催办", "supervision": "督办", "circular": "通报"}
HOWS = {"own": "本单位负责", "taken": "上级接手牵头", "asked": "经请示由其牵头"}
FORMS = {"call": "电话", "written": "书面", "written_with_plan": "书面并附方案"}


def lines(matter: Matter, incident: str) -> Iterator[str]:
    """The explanation, line by line. Times are those of the pack's time zone."""
    said, of, model = answer(matter), dict(sources(matter)), matter.pack.model
    zone = model.timezone
    unit = matter.offices.ever.get(matter.state.unit or "")
    yield f"事项 {incident}（{unit.name if unit else '单位未知'}）"
    yield f"规则 {matter.pack.name} {model.title}"
    titles = {level.code: level.title_zh for level in model.levels}
    if proposed := said["proposed"]:
        yield from _entry(
            f"建议级别：{titles[proposed['level']]}（{proposed['rule']}）", of, f"levels.{proposed['rule']}"
        )
        yield from _indented(_inputs(matter))
    else:
        yield "建议级别：无，由人判断"
    if level := said["level"]:
        yield from _entry(f"级别：{titles.get(level, level)}", of, f"levels.{level}")
    if said["lead"]:
        leads = next(one.leads for one in model.levels if one.code == level)
        title = leads.title_zh if leads else ""
        yield from _entry(f"牵头：{title}（{HOWS[said['lead']['how']]}）", of, f"levels.{level}.leads")
    yield from _approval(matter, of)
    for owed in obligations.report_to(matter.state.past, model, matter.offices):
        limit = "期限未定" if owed.hop.limit.is_open else "有期限"
        yield f"上报：{_title(owed.hop.code, model)}（{FORMS[owed.hop.form]}，{limit}）"
        yield from _indented(_cited(owed.hop.source))
    causes = {clock.name: clock.cancelled.cause for clock in derived(matter) if clock.cancelled}
    for clock in said["clocks"]:
        yield from _clock(clock, matter, zone, causes.get(clock["name"]))
    yield from _earlier(matter, {clock["name"] for clock in said["clocks"]}, zone)
    for sent in said["ladder"]:
        told = matter.offices.ever.get(sent["told"])
        yield from _entry(
            f"{RUNGS[sent['rung']]}：{_local(sent['at'], zone)} 告知 {told.name if told else sent['told']}",
            of,
            f"ladder.{sent['rung']}",
        )


def _inputs(matter: Matter) -> Iterable[str]:
    """What the proposal looked at."""
    now = grading.gravity(matter.gravity, matter.reports)
    if now is None:
        return
    names = {
        "clicks": "点击",
        "comments": "评论",
        "mainstream_sites": "主流网站",
        "shares": "转发",
        "reports": "反映件数",
    }
    known = [f"{names[name]} {value}" for name, value in now.figures if value is not None]
    flags = {flag.code: flag.title_zh for flag in matter.pack.model.flags}
    known += [f"题材 {flags.get(flag, flag)}" for flag in sorted(now.flags)]
    harm = {step.value: step.title_zh for step in matter.pack.model.harm_scale}
    if now.harm is not None:
        known.append(f"危害 {harm.get(now.harm, now.harm)}")
    yield f"依据：{'，'.join(known) or '没有已知的数字'}"


def _approval(matter: Matter, of: dict[str, Source]) -> Iterator[str]:
    chains = matter.pack.model.approval.chains if matter.pack.model.approval else ()
    for chain in chains:
        if f"approval.{chain.code}" in of:
            steps = " → ".join(step.title_zh for step in chain.steps)
            yield from _entry(f"审批：{chain.title_zh}（{steps}）", of, f"approval.{chain.code}")


def _title(name: str, pack: PolicyPack) -> str:
    """The Chinese name of a clock or a hop."""
    titles = {
        obligations.BULLETIN: "情况通报",
        obligations.WRITTEN_REPORT: "书面总结报告",
        growth.GROWTH: "未消除或扩大",
    }
    titles |= {hop.code: report.title_zh for report in pack.reports for hop in report.hops}
    code, review, _ = name.partition("#")[0].partition(".review")
    found = (titles | {clock.name: clock.title_zh for clock in pack.clocks}).get(code, code)
    return f"{found}（复查）" if review else found


def _earlier(matter: Matter, told: Container[str], zone: tzinfo) -> Iterator[str]:
    """The limits that began under a pack that the matter has left: missed, done, or still owed."""
    left = [matter.offices.packs[move.policy] for move in matter.state.moves if move.policy in matter.offices.packs]
    for name, known in matter.state.clocks.items():
        pack = next((pack for pack in reversed(left) if name.partition("#")[0] in pack.model.timed), None)
        if name in told or pack is None:
            continue
        since, due = _local(instant(known.started.since), zone), _local(instant(known.started.due), zone)
        state = "breached" if known.breach else "met" if known.met_at else "cancelled" if known.cancelled else "running"
        yield f"时限：{_title(name, pack.model)}（按 {pack.name}）自 {since} 至 {due}，{STATES[state]}"
        if rule := rule_of(name, pack):
            yield from _indented(_cited(rule.source))


def _clock(clock: dict[str, Any], matter: Matter, zone: tzinfo, cause: str | None) -> Iterator[str]:
    due = _local(clock["due"], zone) + ("（暂定）" if clock["provisional"] else "")
    done = f"，{_local(clock['met_at'], zone)} 完成" if clock["met_at"] else ""
    late = f"，逾期 {long(clock['late_by'])}" if clock["late_by"] else ""
    since, state = _local(clock["from"], zone), STATES[clock["state"]]
    why = f"（{titled(cause, 'zh')}）" if cause else ""
    yield f"时限：{_title(clock['name'], matter.pack.model)} 自 {since} 至 {due}，{state}{why}{done}{late}"
    if rule := rule_of(clock["name"].removesuffix(".review"), matter.pack):
        yield from _indented(_cited(rule.source))


def _entry(text: str, of: dict[str, Source], rule: str) -> Iterator[str]:
    yield text
    if rule in of:
        yield from _indented(_cited(of[rule]))


def _cited(source: Source) -> Iterator[str]:
    place = " ".join(part for part in (source.document, source.clause) if part)
    quote = f"「{source.quote}」" if source.quote else ""
    yield "条款：" + " ".join(part for part in (place, quote, f"［{BASES[source.kind]}］") if part)


def _indented(inner: Iterable[str]) -> Iterator[str]:
    yield from (f"  {line}" for line in inner)


def long(text: str) -> str:
    """A duration in words: `1 天 2 小时`, with two parts at most."""
    seconds = int(TypeAdapter(timedelta).validate_python(text).total_seconds())
    sizes = ((86_400, "天"), (3_600, "小时"), (60, "分"), (1, "秒"))
    parts = [
        f"{seconds % above // size} {name}"
        for above, (size, name) in zip((10**12, 86_400, 3_600, 60), sizes, strict=True)
    ]
    first = next((at for at, part in enumerate(parts) if not part.startswith("0 ")), 3)
    return " ".join(part for part in parts[first : first + 2] if not part.startswith("0 ")) or "不足 1 秒"


def _local(text: str, zone: tzinfo) -> str:
    at: datetime = parse_instant(text)
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
