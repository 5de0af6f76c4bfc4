"""Three deployments on one machine: a matter goes over and comes back by HTTPS, with receipts and proofs."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import orjson
import pytest
import pytest_asyncio

from schemas.handing import IncidentPeerTold
from services.apps import cli
from services.audit.between import passing
from services.audit.log import keys, witnessing
from services.kernel.between.message import KIND, PATH
from services.kernel.between.signed import Signing
from services.kernel.core.decider import Ctx
from services.kernel.core.ids import derived
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.store.session import Session
from services.kernel.tlog import note
from services.kernel.tlog.checkpoint import Checkpoint
from services.kernel.tlog.note import Note, Verifier
from services.kernel.tlog.tree import leaf_hash
from services.kernel.tlog.witness import Request
from tests.kit import tls
from tests.kit.between import Deployment

T = TypeVar("T")
UNIT = "county"
FIRST = {"explanation", "reply", "first_answer"}
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
    # A server that ends closes TLS connections without waiting for the other side.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]
Three = tuple[Deployment, Deployment, Deployment]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def three(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Three]:
    """A county and a city that hand matters over to each other, and a third from which they take none."""
    folder = tmp_path_factory.mktemp("between")
    authority = tls.certified(folder)
    names = ("county-one", "city", "other")
    county, city, other = (Deployment(folder / name, name, folder / "broker.pem") for name in names)
    found = county, city, other
    for one in found:
        await one.start()
        await one.learn()
    entries = {one.name: one.entry(hands=True, witnessed=True) for one in found}
    for one in found:
        await one.system.stop()
        others = [
            {**entries[each.name], **({} if each is other else {"takes": UNIT})} for each in found if each is not one
        ]
        asked = ";".join(f"{each.address}/witness {each.keys['witness']}" for each in found if each is not one)
        one.knows(others, authority, witnesses=asked)
        await one.start()
        await one.serve()
    with pytest.MonkeyPatch.context() as patch:
        # The waiting between tries needs no test here.
        patch.setattr(passing, "STEPS", tuple(timedelta(seconds=0.05) for _ in range(8)))
        patch.setattr(passing, "ENOUGH", 4)
        yield found
    for one in found:
        await one.stop()


async def until(look: Callable[[], Awaitable[T]], what: str, limit: float = 60.0) -> T:
    end = asyncio.get_running_loop().time() + limit
    while not (found := await look()):
        assert asyncio.get_running_loop().time() < end, what
        await asyncio.sleep(0.05)
    return found


async def reported(at: Deployment, subject: str) -> tuple[str, str]:
    """A matter with a report; both ids."""
    async with at.staff("duty_officer", UNIT) as client:
        body = {"unit": UNIT, "channel": "hotline", "subject": subject, "text": "河水发黑，电话13812345678"}
        now = at.system.time_source.now().isoformat()
        answer = await client.post("/ingest/v1/reports", json={**body, "discovered_at": now})
        assert answer.status_code == 201, answer.text
        report = answer.json()["report_id"]
        await at.system.settle()
        found = (await client.get(f"/triage/v1/incidents?report_id={report}")).json()["items"]
    return found[0]["id"], report


async def matter(at: Deployment, incident: str) -> dict[str, Any]:
    async with at.staff("chief", UNIT) as client:
        answer = await client.get(f"/triage/v1/incidents/{incident}", params={"purpose": "查看"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def act(at: Deployment, incident: str, verb: str, **body: Any) -> httpx.Response:
    headers = {"If-Match": str((await matter(at, incident))["version"])}
    async with at.staff("chief", UNIT) as client:
        return await client.post(f"/triage/v1/incidents/{incident}/{verb}", json=body, headers=headers)


async def handed(at: Deployment, subject: str, to: str = "city") -> str:
    """A matter that is handed over."""
    incident, report = await reported(at, subject)
    done = await act(at, incident, "hand-to-peer", to=to, subject=subject, reason="涉及两区", reports=[report])
    assert done.status_code == 200, done.text
    return incident


async def tell(at: Deployment, incident: str, said: str, text: str | None = "办理情况") -> None:
    done = await act(at, incident, "tell-peer", said=said, text=text)
    assert done.status_code == 200, done.text


async def messages(at: Deployment, incident: str) -> list[dict[str, Any]]:
    async with at.staff("chief", UNIT) as client:
        answer = await client.get(f"/audit/v1/incidents/{incident}/messages")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def came(at: Deployment, subject: str) -> str:
    """The one matter that came with this subject."""

    async def look() -> list[str]:
        async with at.staff("chief", UNIT) as client:
            items = (await client.get("/triage/v1/incidents?limit=500")).json()["items"]
        return [str(one["id"]) for one in items if one["subject"] == subject and one["handing"]]

    (found,) = await until(look, f"{subject} has come")
    return found


async def heard(at: Deployment, incident: str, said: str) -> dict[str, Any]:
    """The matter when it is known that the other deployment said this."""

    async def look() -> dict[str, Any] | None:
        found = await matter(at, incident)
        return found if found["handing"]["heard"] == said else None

    found = await until(look, f"{said} is heard")
    assert found is not None
    return found


async def taken(at: Deployment, incident: str) -> list[dict[str, Any]]:
    """The messages of a matter when all of them have a receipt."""

    async def look() -> list[dict[str, Any]]:
        found = await messages(at, incident)
        return found if all(one["state"] == "taken" for one in found) else []

    return await until(look, "all messages are taken")


async def send(to: Deployment, body: bytes, headers: dict[str, str]) -> httpx.Response:
    async with to.system.client() as client:
        names = ("webhook-id", "webhook-timestamp", "webhook-signature", "content-type")
        return await client.post(PATH, content=body, headers={name: headers[name] for name in names})


def signed(by: Deployment, body: bytes, id_: str) -> dict[str, str]:
    key = Signing(by.system.runtimes["ingest"].keys, 1)
    return key.headers(id_, by.system.time_source.now(), body) | {"content-type": KIND}


async def test_a_matter_goes_over_is_answered_and_comes_back(three: Three, tmp_path: Path) -> None:
    county, city, _ = three
    incident = await handed(county, "跨区河道污染")
    there = await came(city, "跨区河道污染")
    whole = await matter(city, there)
    (report,) = whole["reports"]
    assert "涉及两区" in report["text"] and "河水发黑" in report["text"]
    assert "13812345678" not in report["text"] and whole["handing"]["came_from"] == "county-one"
    assert (await matter(county, incident))["state"] == "open", "it stays here until the other one accepts"
    again = await act(county, incident, "hand-to-peer", to="city", subject="再次", reason="再次")
    assert again.status_code == 409 and "has not answered yet" in again.json()["detail"]
    early = await act(city, there, "tell-peer", said="answered", text="已处理")
    assert early.status_code == 409, "only an accepted matter is answered"

    await tell(city, there, "accepted", None)
    closed = await heard(county, incident, "accepted")
    assert closed["state"] == "closed"
    await county.system.settle()
    async with county.staff("chief", UNIT) as client:
        limits = (await client.get(f"/escalation/v1/incidents/{incident}")).json()["clocks"]
    ended = {one["clock"] for one in limits if one["cancelled"] == "closed"}
    running = {one["clock"] for one in limits if one["state"] == "running"}
    assert ended and running <= FIRST, "its clocks end as at a closing: who reported here is still owed a first answer"

    await tell(city, there, "answered", "市水务局已清理河道")
    answered = await heard(county, incident, "answered")
    assert "市水务局已清理河道" in [note["text"] for note in answered["notes"]]
    await tell(city, there, "returned", "属县级职责")
    back = await heard(county, incident, "returned")
    assert back["state"] == "open" and (await matter(city, there))["state"] == "closed"
    last = await act(city, there, "tell-peer", said="answered", text="再答")
    assert last.status_code == 409 and "last word" in last.json()["detail"]

    # Each keeps what the other one's log proves, and a stranger checks it with the keys alone.
    here, beyond = await taken(county, incident), await taken(city, there)
    assert [one["said"] for one in here] == [one["said"] for one in beyond]
    assert [one["said"] for one in here] == ["handed", "accepted", "answered", "returned"]
    for items, key in ((here, city.keys["log"]), (beyond, county.keys["log"])):
        for one in items:
            if one["sent_by"] == "here":
                assert one["receipt"]["record"] == one["record"]
                continue
            event, proof = tmp_path / "event.json", tmp_path / "event.tlog-proof"
            event.write_text(one["content"])
            proof.write_text(one["proof"])
            assert await asyncio.to_thread(cli.execute, ["verify", "event", str(event), str(proof), "--key", key]) == 0


async def test_a_refused_matter_goes_on_here(three: Three) -> None:
    county, city, _ = three
    incident = await handed(county, "路灯不亮")
    await tell(city, await came(city, "路灯不亮"), "refused", "不属市级职责")
    found = await heard(county, incident, "refused")
    assert found["state"] == "open" and "hand-to-peer" in found["may"]


async def test_a_lost_answer_doubles_nothing(three: Three) -> None:
    county, city, _ = three
    city.cuts, before = 3, len(city.got)
    incident = await handed(county, "井盖丢失")
    await came(city, "井盖丢失")
    (sent,) = await taken(county, incident)
    assert len(city.got) - before >= 4
    mine = [(body, headers) for body, headers in city.got[before:]]
    answers = [(await send(city, body, headers)).json()["receipt"] for body, headers in mine]
    assert all(one == sent["receipt"] for one in answers), "an old message gets the same receipt"
    await city.system.settle()
    assert await came(city, "井盖丢失"), "it came once"


async def test_a_deployment_that_is_down_gets_it_later(three: Three) -> None:
    county, city, _ = three
    await city.unserve()
    incident = await handed(county, "道路积水")

    async def told() -> bool:
        async with county.system.client() as client:
            ready = (await client.get("/readyz")).json()
        return "has taken no message since" in str(ready)

    await until(told, "operators are told")
    assert (await messages(county, incident))[0]["state"] == "waiting"
    await city.serve()
    await came(city, "道路积水")
    await taken(county, incident)
    assert not await told()


async def test_what_is_forged_altered_or_sent_elsewhere_leaves_nothing(three: Three) -> None:
    county, city, other = three
    await handed(county, "噪声扰民")
    await came(city, "噪声扰民")
    body, headers = city.got[-1]
    await city.system.settle()
    size = city.system.runtimes["ingest"].changes
    told = orjson.loads(body)
    event = orjson.loads(base64.b64decode(told["data"]["event"]))

    def with_event(**changes: Any) -> bytes:
        altered = orjson.dumps({**event, **changes})
        data = {**told["data"], "event": base64.b64encode(altered).decode()}
        named = {name: changes[name] for name in ("id", "source") if name in changes}
        return orjson.dumps({**told, **named, "data": data}, option=orjson.OPT_SORT_KEYS)

    as_other = with_event(source="/huiying/other/triage")
    to_other = with_event(data={**event["data"], "to": "other"})
    forged = [
        (city, body + b" ", headers, "message-unreadable"),
        (city, body, {**headers, "webhook-timestamp": "1"}, "message-unproven"),
        (city, body, signed(other, body, headers["webhook-id"]), "message-unproven"),
        (city, as_other, signed(other, as_other, headers["webhook-id"]), "message-unproven"),
        (city, to_other, signed(county, to_other, headers["webhook-id"]), "message-unproven"),
        (other, body, headers, "message-misaddressed"),
        (county, body, headers, "peer-unknown"),
    ]
    for to, raw, heads, code in forged:
        answer = await send(to, raw, heads)
        assert answer.json()["type"].endswith(code), answer.text
        assert answer.status_code in (409, 422) and answer.json()["detail"]
    await city.system.settle()
    assert city.system.runtimes["ingest"].changes == size, "nothing of it is on the record"


async def test_a_deployment_without_leave_is_refused_and_the_matter_stays(three: Three) -> None:
    *_, other = three
    incident = await handed(other, "垃圾堆放")
    found = await heard(other, incident, "undelivered")
    assert found["state"] == "open" and "hand-to-peer" in found["may"]
    assert [(one["state"], one["cause"]) for one in await messages(other, incident)] == [
        ("refused", "peer-takes-nothing")
    ]
    unknown = await act(other, incident, "hand-to-peer", to="nowhere", subject="垃圾", reason="垃圾")
    assert unknown.status_code == 422 and unknown.json()["type"].endswith("not-listed")


async def said_of(by: Deployment, about: str, matter: str) -> str:
    """A matter in which a deployment tells the county of one that it was not given."""
    own, _ = await reported(by, "无关事项")

    async def lie(session: Session, ctx: Ctx) -> Answer:
        await session.load([own])
        session.append(own, [IncidentPeerTold(to="county-one", about=about, matter=matter, said="refused")], ctx)
        return Answer({})

    await transact(by.system.runtimes["triage"], Caller(), lie)
    return own


async def test_who_was_given_nothing_says_nothing(three: Three) -> None:
    """The third deployment tells the first something of a matter that it gave to the second."""
    county, city, other = three
    incident = await handed(county, "施工扬尘")
    there = await came(city, "施工扬尘")
    (row,) = await taken(county, incident)
    own = await said_of(other, row["event"], matter=incident)

    async def refused() -> bool:
        return any(one["cause"] == "not-handed-to-peer" for one in await messages(other, own))

    await until(refused, "the lie is refused")
    # Nor does what the first one does not know, and what comes later does not wait for it.
    unknown = await said_of(other, derived("nothing"), matter=incident)

    async def given_up() -> bool:
        items = await messages(other, unknown)
        return ("refused", "not-handed-over") in [(one["state"], one["cause"]) for one in items]

    await until(given_up, "what is not known there is given up")
    assert (await matter(county, incident))["handing"]["heard"] is None
    await tell(city, there, "accepted", None)
    await heard(county, incident, "accepted")


async def test_each_cosigns_the_logs_of_the_others_and_no_fork(three: Three) -> None:
    for one in three:
        others = [Verifier.parse(each.keys["witness"]) for each in three if each is not one]

        async def cosigned(one: Deployment = one, others: list[Verifier] = others) -> bool:
            async with one.system.client() as client:
                raw = (await client.get("/audit/v1/log/checkpoint")).content
            return len(Note.parse(raw).known(others)) == len(others)

        await until(cosigned, f"both others cosigned a checkpoint of {one.name}")
    county, city, other = three
    async with county.system.runtimes["audit"].database.read() as connection:
        (mine,) = await keys.signers(county.system.runtimes["audit"], connection, "log")
    for witness in (city, other):
        async with witness.system.runtimes["audit"].database.read() as connection:
            held = {row["origin"]: row for row in await witnessing.known(connection)}[mine.verifier.name]
        size = held["size"]
        forked = Checkpoint(mine.verifier.name, size, leaf_hash(b"another history"))
        body = Request(size, (), note.signed(forked.text, [mine]).written).written
        async with witness.system.client() as client:
            answer = await client.post("/witness/add-checkpoint", content=body)
        assert answer.status_code == 409, "a log of the same size with another root is a fork"
