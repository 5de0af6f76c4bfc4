"""Stories of the demo: how the officers of an office deal with a matter.

Each story is a coroutine that waits for its appointments. Everything is a request with the token of one post. A limit
is missed because nobody acts in time.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from services.demo.desk import DAY, HOUR, STEP, Desk, Statement


async def answered(desk: Desk) -> None:
    """As the rules say: verified, answered in public the same day, resolved, closed the day after."""
    await desk.sort()
    await desk.at(1.5 * HOUR)
    await desk.verify()
    await desk.at(2 * HOUR)
    said = await desk.approve(await desk.draft("facts"), 2 * HOUR)
    await desk.finish(said + HOUR)
    await desk.look_back(DAY + HOUR)


async def told(desk: Desk) -> None:
    """Answered directly, without a public statement."""
    await desk.sort(kind="adoption" if "建议" in desk.incident.subject else "answer")
    await desk.at(3 * HOUR)
    await desk.reply("已电话答复处理意见")
    await desk.finish(3 * HOUR)
    await desk.look_back(DAY + 2 * HOUR)


async def brief(desk: Desk) -> None:
    """Answered on the same day; the problem itself takes longer."""
    await desk.at(0 * HOUR)
    await desk.judge()
    await desk.assign(desk.incident.unit)
    await desk.at(4 * HOUR)
    await desk.reply("已答复办理计划")


async def late(desk: Desk) -> None:
    """Left until the second day: two limits pass, then it is answered."""
    await desk.sort(after=DAY + HOUR)
    await desk.at(DAY + 3 * HOUR)
    await desk.reply("已说明延误原因并答复")
    await desk.finish(DAY + 3 * HOUR)


async def silent(desk: Desk) -> None:
    """Sorted in time, but then nothing is said: the limit passes and reminders follow."""
    await desk.sort()


async def untouched(desk: Desk) -> None:
    """Nobody looks at it."""


async def answered_after_reminder(desk: Desk) -> None:
    """Nothing is said until the reminder comes."""
    await desk.sort()
    await desk.at(2 * DAY + HOUR)
    await desk.reply("收到催办后已答复")
    await desk.finish(2 * DAY + HOUR)


async def returned(desk: Desk) -> None:
    """Given to the roads department, which gives it back."""
    await desk.sort(to="county-roads")
    await desk.at(2 * HOUR)
    await desk.decide(
        "handler", "return", {"ground": "not_ours_by_duty", "reason": "该路段不属本单位管养"}, by="county-roads"
    )
    await desk.at(3 * HOUR)
    await desk.assign(desk.incident.unit)
    await desk.at(3 * HOUR + STEP)
    await desk.decide("handler", "accept")
    await desk.at(4 * HOUR)
    await desk.reply("已说明管养责任并答复")
    await desk.finish(5 * HOUR)


async def transferred(desk: Desk) -> None:
    """Another unit becomes accountable, and answers."""
    await desk.at(HOUR)
    await desk.decide("chief", "transfer", {"unit": "county-roads", "reason": "属县级职责"})
    desk.incident.unit = "county-roads"
    await desk.sort(after=HOUR + STEP)
    await desk.at(4 * HOUR)
    await desk.reply("已答复处理计划")
    await desk.finish(5 * HOUR)


async def rejected(desk: Desk) -> None:
    """The first text is sent back. The handler also has the right to approve, but may not approve their own text."""
    await desk.sort()
    await desk.at(2 * HOUR)
    await desk.verify()
    await desk.at(2.5 * HOUR)
    statement = await desk.draft("facts")
    await desk.at(3 * HOUR)
    await desk.officers.handle(desk.incident, statement, "approver", "reject", {"reason": "请写明完成时间"})
    await desk.at(3 * HOUR + STEP)
    text = f"关于“{desk.incident.subject}”，经核实反映属实，将于三日内处理完毕。"
    waive = [*statement.waive, {"figures": ["三日"], "reason": "办理期限，不是查明的事实"}]
    await desk.officers.handle(desk.incident, statement, "handler", "revise", {"text": text, "waive": waive})
    await desk.officers.handle(desk.incident, statement, "handler", "submit")
    said = await desk.approve(statement, 3.5 * HOUR)
    await desk.finish(said + STEP)


async def corrected(desk: Desk) -> None:
    """The published text is wrong; the office corrects it, and both stay visible."""
    await desk.sort(kind="status")
    await desk.at(1.5 * HOUR)
    await desk.verify()
    await desk.at(2 * HOUR)
    statement = await desk.draft("facts")
    said = await desk.approve(statement, 2 * HOUR)
    await desk.finish(said + HOUR)
    await desk.at(DAY + HOUR)
    text = f"关于“{desk.incident.subject}”，现更正：处理工作将于本周五完成，此前所写日期有误。"
    correction = {"text": text, "reason": "完成日期写错", "waive": statement.waive}
    await desk.officers.handle(desk.incident, statement, "spokesperson", "correct", correction)


async def withdrawn(desk: Desk) -> None:
    """The published text was about another place. It is withdrawn, and a new statement tells the truth."""
    await desk.sort(kind="clarification")
    await desk.at(1.5 * HOUR)
    await desk.verify()
    await desk.at(2 * HOUR)
    statement = await desk.draft("status")
    await desk.approve(statement, 2 * HOUR)
    await desk.at(DAY + HOUR)
    await desk.officers.handle(desk.incident, statement, "spokesperson", "withdraw", {"reason": "地点有误，另行说明"})
    await desk.at(DAY + 2 * HOUR)
    said = await desk.approve(await desk.draft("facts"), DAY + 2 * HOUR)
    await desk.finish(said + STEP)


async def reopened(desk: Desk) -> None:
    """It comes back on the second day, and is handled again."""
    await desk.sort()
    await desk.at(2 * HOUR)
    await desk.reply("已答复")
    await desk.finish(3 * HOUR)
    await desk.at(DAY + 2 * HOUR)
    await desk.decide("chief", "reopen", {"reason": "同一问题再次出现"})
    await desk.at(DAY + 4 * HOUR)
    await desk.reply("已再次到场并答复")
    await desk.finish(DAY + 5 * HOUR)


async def merged(desk: Desk) -> None:
    """The same matter also came to the other office; the county's chief joins the two."""
    other = desk.other
    if other is None:
        return
    await desk.sort()
    await desk.at(HOUR)
    await desk.decide("chief", "merge", {"into": other.id, "reason": "同一事项，合并办理"}, by="county")
    other.version += 1  # the decision stands on the incident that takes the other one in
    path = f"/triage/v1/incidents/{desk.incident.id}/follow-up"
    await desk.officers.ask(
        desk.incident.unit, "handler", "POST", path, {"text": "再看一次"}, desk.incident.version, refused=409
    )


async def report(desk: Desk, text: str = "情况正在核实") -> None:
    """The reports of a major matter: to the county's leading group, the leader in charge, the principal leader."""
    for _ in range(3):
        await desk.officers.upward(desk.incident, "duty_officer", "report-upward", {"text": text})


async def confirm(desk: Desk) -> None:
    """Each addressee confirms: sending is not arriving."""
    for role, by in (("duty_officer", "county"), ("approver", ""), ("chief", "")):
        await desk.officers.upward(desk.incident, role, "receipt", by=by)


async def major(desk: Desk, level: str = "major") -> None:
    """Grave: reported upward and confirmed within the hour, a first word in public within three, facts the same day."""
    await desk.sort(level)
    await report(desk)
    await desk.at(3 * STEP)
    await confirm(desk)
    await desk.decide("chief", "instruct", {"text": "请立即到现场，先公布处置情况"})
    said = await desk.approve(await desk.draft("status"), 3 * STEP, chief=True)
    await desk.at(said + HOUR)
    await desk.verify("county")
    await desk.at(said + HOUR + STEP)
    said = await desk.approve(await desk.draft("facts"), said + HOUR + STEP, chief=True)
    await desk.finish(said + STEP)
    await desk.at(said + 2 * STEP)
    await desk.reply("已回复办理结果", chief=True)
    await desk.look_back(2 * DAY)


async def extraordinary(desk: Desk) -> None:
    """The gravest level, in the same way."""
    await major(desk, "extraordinary")


async def major_late(desk: Desk) -> None:
    """The first word comes after the limit; the report upward was in time."""
    await desk.sort("major", "status")
    await report(desk)
    await confirm(desk)
    await desk.at(5 * HOUR)
    await desk.approve(await desk.draft("status"), 5 * HOUR, chief=True)


async def major_annulled(desk: Desk) -> None:
    """The report upward was made on paper in time and entered later: the county's auditor annuls the breach."""
    await desk.sort("major", "status")
    await desk.at(3 * STEP)
    await desk.approve(await desk.draft("status"), 3 * STEP, chief=True)
    await desk.at(4 * HOUR)
    await report(desk, "九时已书面上报，现补录")
    await confirm(desk)
    await desk.at(DAY + HOUR)
    annulment = {"clock": "report_to_county", "reason": "已查书面报告原件，时间在时限内"}
    await desk.officers.upward(desk.incident, "auditor", "annul", annulment, by="county")


async def major_silent(desk: Desk) -> None:
    """Nothing is reported and nothing is said: reminder, then supervision, which the county also receives."""
    await desk.sort("major", "answer")


async def not_entitled(desk: Desk) -> None:
    """A handler tries to grade, and somebody decides on a page that is out of date. Both are refused."""
    body = {"level": "general", "reason": "试"}
    path = f"/triage/v1/incidents/{desk.incident.id}/grade"
    await desk.at(0 * HOUR)
    await desk.officers.ask(desk.incident.unit, "handler", "POST", path, body, desk.incident.version, refused=403)
    await desk.officers.ask(
        desk.incident.unit, "duty_officer", "POST", path, body, desk.incident.version + 7, refused=412
    )
    await told(desk)


async def own_text(desk: Desk) -> None:
    """One person with two roles writes and wants to approve. Somebody else has to."""
    await desk.sort()
    await desk.at(1.5 * HOUR)
    await desk.verify()
    await desk.at(2 * HOUR)
    officers, both = desk.officers, "handler+approver"
    text = f"关于“{desk.incident.subject}”，经核实，已安排处理。"
    title = f"关于{desk.incident.subject}"
    body = {"incident_id": desk.incident.id, "kind": "facts", "title": title, "text": text, "facts": ["inspected"]}
    made = await officers.ask(desk.incident.unit, both, "POST", "/publish/v1/statements", body)
    statement = Statement(made["id"], made["version"])
    await officers.waive_quoted(desk.incident, statement, text)
    await officers.handle(desk.incident, statement, both, "submit")
    path = f"/publish/v1/statements/{statement.id}/approve"
    await officers.ask(desk.incident.unit, both, "POST", path, {}, statement.version, refused=409)
    said = await desk.approve(statement, 2 * HOUR)
    await desk.finish(said + STEP)


ABOVE = {"town-east": "county", "town-west": "county", "county-roads": "county", "county": "city"}
"""The unit that agrees when one of the demo's units asks for an erasure."""


async def erased(desk: Desk) -> None:
    """Answered. Later the words of the report are deleted: the office asks, and the unit above agrees."""
    await told(desk)
    await desk.at(2 * DAY + 2 * HOUR)
    path = f"/ingest/v1/reports/{desk.reports[0]}/erase"
    body = {"cause": "asked", "reason": "反映人要求"}
    await desk.officers.ask(desk.incident.unit, "chief", "POST", path, body)
    await desk.officers.ask(ABOVE[desk.incident.unit], "chief", "POST", path, body)
    desk.officers.acts["erase"] += 1


Story = Callable[[Desk], Coroutine[Any, Any, None]]
RARE: tuple[Story, ...] = (
    extraordinary,
    major,
    major_late,
    major_annulled,
    major_silent,
    corrected,
    withdrawn,
    rejected,
    own_text,
    reopened,
    returned,
    transferred,
    not_entitled,
    erased,
    late,
    answered_after_reminder,
    untouched,
)
"""Each is told once, on a matter of the towns."""
USUAL: tuple[Story, ...] = (answered, brief, told, silent, brief, told, late, brief, told, untouched)
"""Told in turn on all other matters."""
