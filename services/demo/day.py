"""What comes to one desk on the demo's first day, whatever else does.

Two reports are of one matter in other words; a third one is of a matter that three departments give back.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.demo import stories
from services.demo.desk import HOUR, Desk, Failed, Incident, Officers, Stage
from services.demo.duty import UNIT

LAMPS, DARK, HOLE = "文化广场南侧路灯三天不亮", "广场南侧晚上一片漆黑，路灯没人修", "村口水渠塌陷，路面下沉"
REPORTS = (
    (LAMPS, "文化广场南侧的八盏路灯已经三天不亮，晚上散步的老人看不清台阶，请尽快派人检修。"),
    (DARK, "广场南侧路灯一直没人修，晚上一片漆黑，昨晚有老人在台阶上绊倒，请检修路灯。"),
    (HOLE, "村口水渠边塌了一个坑，路面跟着下沉，一侧是公路，一侧是水渠，不知道归谁管。"),
)
ASKED = ("county-roads", "county-water", "county-housing")


@dataclass
class Day:
    """One desk's day, with what was said of similar reports."""

    stage: Stage
    officers: Officers
    at: Callable[[int, float], datetime]
    receive: Callable[[dict[str, Any]], Awaitable[None]]
    """Takes a report in, as the integration sends it."""
    known: set[str]
    """The incidents that have a story already."""
    offered: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """The reports come in during the morning, and the desk looks at them an hour later."""
        when = self.at(1, 10)
        await self.stage.until(when)
        for number, (subject, text) in enumerate(REPORTS):
            known_since = (when - timedelta(minutes=10)).isoformat()
            report = {"unit": UNIT, "channel": "hotline", "subject": subject, "text": text}
            await self.receive({**report, "discovered_at": known_since, "source": "desk", "external_id": f"D{number}"})
        begun = when + HOUR
        await self.stage.until(begun)
        items = await self.officers.pages(UNIT, "/triage/v1/incidents")
        found = {item["subject"]: item for item in items}
        lamps, dark, hole = (found[subject] for subject, _ in REPORTS)
        self.known.update(item["id"] for item in (lamps, dark, hole))
        await self.compare(dark, lamps)
        for item, story in ((lamps, stories.answered), (hole, flies)):
            # Linking and merging stand on both matters.
            version = (await self.officers.ask(UNIT, "auditor", "GET", f"/triage/v1/incidents/{item['id']}"))["version"]
            incident = Incident(item["id"], UNIT, item["subject"], version)
            self.stage.begin(story(Desk(self.stage, self.officers, incident, begun, [])))

    async def compare(self, later: dict[str, Any], earlier: dict[str, Any]) -> None:
        """The earlier matter is offered with the words that both share. The desk confirms it, and the chief merges."""
        path = f"/triage/v1/incidents/{later['id']}/similar?limit=5"
        near = (await self.officers.ask(UNIT, "duty_officer", "GET", path))["items"]
        for one in near:
            self.offered.append(f"{one['number']}  {one['score']:.2f}  {'、'.join(one['shared'][:6])}")
        if earlier["id"] not in [one["incident_id"] for one in near]:
            raise Failed(f"{earlier['subject']} was not offered for {later['subject']}: {near}")
        incident = Incident(later["id"], UNIT, later["subject"], later["version"])
        reason = "同一处路灯，同一时间"
        await self.officers.decide(
            incident, "duty_officer", "link", {"to": earlier["id"], "kind": "same", "reason": reason}
        )
        await self.officers.decide(incident, "chief", "merge", {"into": earlier["id"], "reason": reason})
        self.offered.append(f"confirmed: {later['number']} is the same matter as {earlier['number']}, and merged")


async def flies(desk: Desk) -> None:
    """Three departments give the matter back. The unit above designates one of them, and that binds."""
    await desk.at(0 * HOUR)
    await desk.judge()
    for number, unit in enumerate(ASKED):
        await desk.assign(unit)
        await desk.at((number + 1) * HOUR / 2)
        body = {"ground": "not_ours_by_duty", "reason": "塌陷处不属本单位管养"}
        await desk.decide("handler", "return", body, by=unit)
    await desk.at(2 * HOUR)
    unit = desk.incident.assigned = ASKED[1]
    await desk.decide("chief", "designate", {"unit": unit, "reason": "水渠渗漏所致，由水利部门办理"}, by="county")
    path = f"/triage/v1/incidents/{desk.incident.id}/return"
    body = {"ground": "not_ours_by_duty", "reason": "不属本单位职责"}
    await desk.officers.ask(unit, "handler", "POST", path, body, desk.incident.version, refused=409)
    await desk.at(2.5 * HOUR)
    await desk.decide("handler", "accept", by=unit)
    await desk.at(3 * HOUR)
    await desk.reply("已派人加固渠道，路面当日回填")
    await desk.finish(4 * HOUR)
