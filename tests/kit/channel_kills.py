"""Kills the publisher while it sends releases to a webhook, and counts what its receiver got."""

import random
import signal
import time
import uuid
from typing import Any

import httpx

from tests.kit import receiver as kit
from tests.kit.receiver import Receiver
from tests.kit.stack import DeployedWorld, EmbeddedWorld, until

DELIVERED = "huiying.statement.delivered.v1"
STATEMENTS, CHANNELS = "/publish/v1/statements", "/publish/v1/channels"
UNIT = "town-east"
Here = {"HUIYING_CHANNELS_PRIVATE": "true"}
World = EmbeddedWorld | DeployedWorld


def through_kills(world: World, kills: int, seed: int = 1) -> dict[str, int]:
    """One release for each kill. Every second kill comes exactly between the sending and the record.

    Raises `AssertionError` unless the receiver, which drops repetitions by their ids, has each release once.
    """
    part, chance = world.part("publish", "api"), random.Random(seed)
    with kit.listening() as receiver:
        _restarted(world, part)
        _placed(world, receiver)
        id_ = _published(world)
        until(lambda: len(receiver.counts) == 1, "the publication came")
        # Else it might be sent again after the restart, and the process would die before it takes the first correction.
        until(lambda: len(_recorded(world, id_)) == 1, "the publication is on record")
        for number in range(1, kills + 1):
            if number % 2:
                when = world.folder / f"{part}.armed"
                when.unlink(missing_ok=True)
                point = {"HUIYING_FAILPOINT": "delivery.sent", "HUIYING_FAILPOINT_WHEN": str(when)}
                world.end(part)
                world.start(part, **Here, **point)
                world.ready(part)
                when.touch()
                _corrected(world, id_, number)
                assert world.died(part, 60) == -9
            else:
                _corrected(world, id_, number)
                time.sleep(chance.uniform(0, 0.05))
                world.kill(part, signal.SIGKILL)
            world.start(part, **Here)
            world.ready(part)
            until(lambda: len(receiver.counts) == number + 1, f"release {number + 1} came")  # noqa: B023
            until(lambda: len(_recorded(world, id_)) == number + 1, f"release {number + 1} is on record")  # noqa: B023
        _restarted(world, part)
        once = receiver.distinct()
        releases = [message.body["data"]["release"] for message in once]
        assert len(once) == len(set(releases)) == kills + 1, receiver.counts
        assert releases == [*range(1, kills + 2)], "each came, in order"
        recorded = _recorded(world, id_)
        assert recorded == sorted(set(recorded)), "each is on record once, in order"
        assert all(message.is_signed for message in receiver.messages)
        assert len({(message.id, message.raw) for message in receiver.messages}) == len(once), "the same bytes again"
        repeated = len(receiver.messages) - len(once)
        assert kills == 0 or repeated >= (kills + 1) // 2, "no kill came between the sending and the record"
    return {"kills": kills, "releases": kills + 1, "messages": kills + 1 + repeated, "repeated": repeated}


def _restarted(world: World, part: str) -> None:
    world.end(part)
    world.start(part, **Here)
    world.ready(part)


def _recorded(world: World, id_: str) -> list[int]:
    return [event["data"]["release"] for event in world.events(type=DELIVERED) if event["subject"] == id_]


def _placed(world: World, receiver: Receiver) -> None:
    body = {"unit": UNIT, "code": f"c{uuid.uuid4().hex[:12]}", "kind": "webhook", "title": "县政府网站"}
    with world.client("publish", "admin", unit="city") as admin:
        answer = until(
            lambda: (r := admin.post(CHANNELS, json=body | {"address": receiver.address})).status_code == 201 and r,
            "publish knows the units",
        )
    receiver.secrets.append(answer.json()["secret"])


def _published(world: World) -> str:
    incident = world.incident(world.post(f"channel {uuid.uuid4()}").json()["report_id"])
    body = {"incident_id": incident["id"], "kind": "status", "title": "处置情况", "text": "正在抢修。"}
    with world.client("publish", "handler", unit=UNIT, person="wang") as handler:
        made = until(
            lambda: (r := handler.post(STATEMENTS, json=body)).status_code == 201 and r.json(), "publish has the matter"
        )
    for verb, role, person in (
        ("submit", "handler", "wang"),
        ("approve", "approver", "li"),
        ("publish", "spokesperson", "sun"),
    ):
        _act(world, made["id"], verb, role, person)
    return str(made["id"])


def _corrected(world: World, id_: str, number: int) -> None:
    body = {"text": f"正在抢修。{'又' * number}", "reason": "补充进展"}
    _act(world, id_, "correct", "spokesperson", f"speaker {number}", body)


def _act(world: World, id_: str, verb: str, role: str, person: str, body: dict[str, Any] | None = None) -> None:
    key, said = uuid.uuid4().hex, ""
    with world.client("publish", role, unit=UNIT, person=person) as client:

        def done() -> bool:
            nonlocal said
            try:
                seen = client.get(f"{STATEMENTS}/{id_}").headers.get("ETag", "")
                headers = {"If-Match": seen, "Idempotency-Key": key}
                answer = client.post(f"{STATEMENTS}/{id_}/{verb}", json=body or {}, headers=headers)
            except httpx.TransportError:
                # The release went out, and the process died at its failpoint, before the answer was written.
                if world.processes[world.part("publish", "api")].poll() is not None:
                    return True
                raise
            said = answer.text
            assert answer.status_code in (200, 503), said
            return answer.status_code == 200

        until(done, lambda: f"{verb} was taken; the last answer: {said}\n{world.logs()}")
