"""What may lack in a stream, and what may not."""

import pytest

from schemas.envelope import Event
from services.kernel.sealed.chains import Chains
from services.kernel.tlog import Refused
from tests.kernel.sealed.small import small

ONE, TWO, THREE, FOUR, FIVE = small(10).events[::2]
"""The versions of one stream."""


def added(*of: Event, alone: tuple[Event, ...] = ()) -> None:
    chains = Chains()
    try:
        for event in of:
            chains.add(event, "here", alone=event in alone)
    finally:
        chains.close()


def test_what_stands_alone_may_miss_what_is_before_it() -> None:
    added(THREE, alone=(THREE,))
    added(ONE, THREE, FIVE, alone=(THREE, FIVE))
    added(THREE, FOUR, alone=(THREE, FOUR))
    added(ONE, TWO, THREE, FOUR, alone=(THREE,))


@pytest.mark.parametrize(
    ("of", "alone"),
    [
        ((ONE, FOUR, FIVE), (FOUR,)),
        ((FOUR, FIVE), (FOUR,)),
        ((ONE, THREE, TWO), (THREE,)),
        ((ONE, THREE, THREE), (THREE,)),
        ((THREE, ONE), (THREE,)),
        ((ONE, THREE), ()),
    ],
)
def test_nothing_else_of_the_stream_follows_behind_a_gap(of: tuple[Event, ...], alone: tuple[Event, ...]) -> None:
    with pytest.raises(Refused):
        added(*of, alone=alone)


def test_two_that_stand_alone_side_by_side_follow_from_each_other() -> None:
    altered = small(10).events[1::2][3]
    assert altered.version == FOUR.version
    changed = Event.parse(altered.bytes.replace(altered.stream.encode(), FOUR.stream.encode()))
    with pytest.raises(Refused, match="does not follow"):
        added(THREE, changed, alone=(THREE, changed))
