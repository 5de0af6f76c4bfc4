"""A matter from report to bulletin, using only the client that is generated from the API's documents.

The test puts `huiying_client` where Python and mypy find it.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from huiying_client import AuthenticatedClient
from huiying_client.api.audit import read_timeline
from huiying_client.api.bulletin import read_json_feed
from huiying_client.api.ingest import make_key, read_report, send_report
from huiying_client.api.publish import (
    approve_statement,
    draft_statement,
    publish_statement,
    read_statement,
    submit_statement,
)
from huiying_client.api.triage import (
    accept_incident,
    assign_incident,
    establish_fact,
    grade_incident,
    list_incidents,
    read_incident,
    solve_incident,
)
from huiying_client.models import (
    Assign,
    Draft,
    EstablishFact,
    Grade,
    KeyRequest,
    Problem,
    Report,
    Solve,
)
from huiying_client.models.problem_type import PROBLEM_TYPE_VALUES

T = TypeVar("T")
Client = Callable[[str], AuthenticatedClient]
"""The client of the person with this token."""


class Tokens(NamedTuple):
    """The clients of four people."""

    admin: str
    officer: str
    approver: str
    spokesperson: str


def right(answer: T | Problem | None) -> T:
    """The answer. It must not be a problem."""
    assert answer is not None
    assert not isinstance(answer, Problem), answer
    return answer


async def drive(client: Client, tokens: Tokens) -> list[str]:
    """Returns the titles on the bulletin."""
    officer, approver = client(tokens.officer), client(tokens.approver)
    spokesperson = client(tokens.spokesperson)

    made = right(await make_key.asyncio(client=client(tokens.admin), body=KeyRequest(unit="town-east", name="hotline")))
    integration = client(made.key)
    report = Report(
        unit="town-east",
        channel="hotline",
        subject="卫生院门前路灯不亮",
        text="已经四天不亮。",
        discovered_at=datetime.now(UTC),
        source="hotline-12345",
        external_id="42",
    )
    taken = right(await send_report.asyncio(client=integration, body=report))
    assert right(await send_report.asyncio(client=integration, body=report)).report_id == taken.report_id
    assert right(await read_report.asyncio(taken.report_id, client=integration)).subject == report.subject

    listed = right(await list_incidents.asyncio(client=officer, report_id=taken.report_id))
    while not listed.items:
        await asyncio.sleep(0.01)
        listed = right(await list_incidents.asyncio(client=officer, report_id=taken.report_id))
    incident = listed.items[0]
    refused = await accept_incident.asyncio(incident.id, client=officer, if_match=str(incident.revision))
    assert isinstance(refused, Problem)
    assert refused.type_ == "urn:huiying:problem:not-assigned"
    assert refused.type_ in PROBLEM_TYPE_VALUES

    grade = Grade(level="general", reason="一处路灯")
    done = right(await grade_incident.asyncio(incident.id, client=officer, body=grade, if_match=str(incident.revision)))
    stale = await grade_incident.asyncio(incident.id, client=officer, body=grade, if_match=str(incident.revision))
    assert isinstance(stale, Problem)
    assert (stale.status, stale.revision) == (412, done.revision)
    assign = Assign(unit="town-east")
    done = right(await assign_incident.asyncio(incident.id, client=officer, body=assign, if_match=str(done.revision)))
    done = right(await accept_incident.asyncio(incident.id, client=officer, if_match=str(done.revision)))
    fact = EstablishFact(key="lamps", kind="number", value=12, source="现场查看")
    done = right(await establish_fact.asyncio(incident.id, client=officer, body=fact, if_match=str(done.revision)))
    solution = Solve(text="已更换线路")
    done = right(await solve_incident.asyncio(incident.id, client=officer, body=solution, if_match=str(done.revision)))
    whole = right(await read_incident.asyncio(incident.id, client=officer))
    assert (whole.level, whole.facts[0].value, whole.revision) == ("general", 12, done.revision)

    draft = Draft(incident_id=incident.id, kind="facts", title="路灯修复情况", text="已修复。", facts=["lamps"])
    after = f"{incident.id}@{done.events[-1].version}"
    begun = right(await draft_statement.asyncio(client=officer, body=draft, huiying_after=after))
    done = right(await submit_statement.asyncio(begun.id, client=officer, if_match=str(begun.revision)))
    done = right(await approve_statement.asyncio(begun.id, client=approver, if_match=str(done.revision)))
    done = right(await publish_statement.asyncio(begun.id, client=spokesperson, if_match=str(done.revision)))
    statement = right(await read_statement.asyncio(begun.id, client=officer))
    assert (statement.state, statement.releases[0].text) == ("published", draft.text)

    timeline = right(await read_timeline.asyncio(incident.id, client=spokesperson, lang="zh"))
    assert all(item.summary for item in timeline.items)
    feed = right(await read_json_feed.asyncio(client=spokesperson))
    return [entry.title for entry in feed.items]
