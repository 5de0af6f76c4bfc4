"""A crash (kill -9) between the sending of a notice and its record, on both substrates."""

import uuid

import pytest

from tests.kit import mailbox
from tests.kit.stack import DeployedWorld, EmbeddedWorld, until

pytestmark = pytest.mark.timeout(240)
HEAD = "chief@town-east"
DELIVERED = "huiying.clock.notice_delivered.v1"
NOTICES = 3
"""A report that came late calls for so many: the new matter, and two limits that have passed."""


def test_after_a_kill_the_notice_comes_again_under_its_id_and_is_recorded_once(
    world: EmbeddedWorld | DeployedWorld,
) -> None:
    part = world.part("escalation", "api")
    with mailbox.opened() as box:
        with world.client("escalation", "admin", unit="city") as admin:
            body = {"post": HEAD, "address": box.address}
            answer = until(
                lambda: (r := admin.post("/escalation/v1/addresses", json=body)).status_code != 503 and r,
                "escalation knows the posts",
            )
            assert answer.status_code == 201, answer.text
        world.integration().close()
        world.armed(part, "notice.sent")
        world.ready(part)
        text = f"notice {uuid.uuid4()}"
        world.post(text)
        assert world.died(part, 60) == -9
        on_their_way = set(box.notices)
        assert on_their_way
        world.start(part)
        world.ready(part)

        def recorded() -> list[str]:
            return [event["data"]["notice"] for event in world.events(type=DELIVERED)]

        # A slow program may have sent all of them before it died.
        until(lambda: len(set(recorded())) == NOTICES, lambda: f"every notice was recorded: {box.notices, recorded()}")
        first = set(recorded())
        assert first == set(box.notices) >= on_their_way
        assert {box.notices.count(notice) for notice in on_their_way} == {2}
        assert {box.notices.count(notice) for notice in first - on_their_way} <= {1}
        world.restart(part)
        world.ready(part)
        world.post(f"another {uuid.uuid4()}")
        until(lambda: first < set(box.notices) == set(recorded()), "the next notices were recorded")
        assert len(recorded()) == len(set(recorded()))
        assert len(box.notices) == len(set(box.notices)) + len(on_their_way)
    world.check()
