"""Every operation of every document of the API, asked by every role at every relation to a matter.

The real application answers, in one process. What is expected stands in `expected.py`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
import pytest_asyncio

from services.audit.review import printing
from services.audit.review import rights as review
from services.escalation import rights as escalation
from services.ingest import rights as ingest
from services.kernel.access.rights import Right
from services.kernel.core.commands import Command
from services.kernel.core.decider import STAFF_ROLES
from services.kernel.delivery import operations as refusals
from services.kernel.serving import sign_in
from services.publish import rights as publish
from services.publish.press import rights as press
from services.triage import rights as triage
from tests.kit import answers
from tests.rights.expected import ABOVE, DELEGATED, allowed
from tests.rights.probes import Probe, operations, probes
from tests.rights.world import CALLERS, OF_NO_ROLE, UNITS, World, world

pytestmark = pytest.mark.asyncio(loop_scope="module")
EXPECTED = allowed()
OPERATIONS = [described["operationId"] for _, _, described, _ in operations()]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def still(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """The world. That refusals are recorded and answers have their shape is tried elsewhere; here they are too many."""
    async with world(tmp_path_factory.mktemp("rights")) as made:
        with (
            mock.patch.object(refusals, "refuse", mock.AsyncMock()),
            mock.patch.object(answers, "check"),
            mock.patch.object(sign_in, "logger"),
            # Who may print is tried here, and how it looks elsewhere.
            mock.patch.dict(
                printing.FORMS, {form: (media, lambda _: b"") for form, (media, _) in printing.FORMS.items()}
            ),
        ):
            yield made


@pytest.fixture(scope="module")
def asked(still: World) -> dict[str, Probe]:
    """Operation -> how it is asked."""
    return {probe.operation: probe for probe in probes(still.names)}


TABLES: Sequence[Mapping[type[Command], Right[Any]]] = (
    triage.RIGHTS, triage.OF_OFFICES, escalation.RIGHTS, escalation.AT_DESK, publish.RIGHTS, press.RIGHTS,
    ingest.RIGHTS, review.RIGHTS,
)  # fmt: skip
ALONE = Right.__dataclass_fields__["also"].default
BY_POST = {
    *(
        right.verb
        for table in TABLES
        for right in table.values()
        if type(right) is not Right or right.also is not ALONE
    ),
    "delegations",
    "end",
}
"""The verbs that a post or body may have by itself, without a role, and the paths of delegations."""


async def test_every_operation_has_an_expectation_and_no_expectation_is_left_over() -> None:
    assert sorted(OPERATIONS) == sorted(EXPECTED)


async def test_expectations_name_known_callers_and_relations() -> None:
    assert UNITS.keys() == ABOVE.keys()
    pairs = {pair for of_one in EXPECTED.values() for pair in of_one}
    assert pairs <= {(relation, caller) for relation in UNITS for caller in CALLERS}


@pytest.mark.requirement("MUL-06")
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_operation_lets_in_whom_it_should_and_nobody_else(
    operation: str, still: World, asked: dict[str, Probe]
) -> None:
    """Roles only add rights, so those that are all refused at a relation are asked as one caller with all of them.

    A right of a post is not one of a role. Where a post may have a verb by itself, each caller is asked alone.
    """
    probe, expected = asked[operation], EXPECTED[operation]
    found = set()
    for relation, unit in UNITS.items():
        refused = tuple(role for role in STAFF_ROLES if (relation, role) not in expected)
        alone: list[str] = [caller for caller in CALLERS if caller not in refused]
        if probe.verb in BY_POST or (refused and await probe.allowed(still, unit, *refused)):
            alone = list(CALLERS)
        found |= {(relation, caller) for caller in alone if await probe.allowed(still, unit, caller)}
    assert found - expected == set(), "they are let in"
    assert expected - found == set(), "they are refused"


async def test_a_delegation_gives_what_it_says_between_its_times_and_nothing_after(
    still: World, asked: dict[str, Probe]
) -> None:
    """The approver's, to a post without a role: it begins in two days and lasts eight hours."""
    time, own = still.system.time_source, UNITS["own"]

    async def let_in() -> set[str]:
        return {operation for operation, probe in asked.items() if await probe.allowed(still, own, OF_NO_ROLE)}

    open_ = {operation for operation, pairs in EXPECTED.items() if ("own", OF_NO_ROLE) in pairs}
    assert await let_in() == open_
    # What has ended is not listed any more.
    for hours, expected in ((49, open_ | DELEGATED), (57, open_ - {"listDelegations"})):
        time.move(timedelta(hours=hours))
        try:
            assert await let_in() == expected, hours
        finally:
            time.move(-timedelta(hours=hours))
