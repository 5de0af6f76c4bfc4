"""The masked record shows only what somebody decided to show."""

from typing import Any

import orjson
import pytest

from schemas import catalogue
from schemas.envelope import Event
from schemas.wire import Envelope
from services.audit.archive.shown import ENVELOPE, SHOWN, is_shown
from tests.schemas.kit import EXAMPLES, an_example

GRADED = an_example()
TO = {"ref": "x", "digest": "y"}


def changed(data: dict[str, Any], **attributes: Any) -> Event:
    """An event of a known type with more in it."""
    return Event.parse(orjson.dumps({**GRADED.attributes, "data": {**GRADED.attributes["data"], **data}, **attributes}))


def test_what_is_listed_exists_and_is_shown() -> None:
    assert catalogue.types().keys() >= SHOWN.keys()
    for type_ in catalogue.types():
        event = Event.parse(EXAMPLES[type_, False])
        assert is_shown(event) == (event.kind in catalogue.FOLLOWS_INCIDENT), type_
    assert is_shown(GRADED) and is_shown(changed({"reason": TO}))


def test_every_attribute_of_an_envelope_was_decided_on_and_acts_of_staff_are_shown() -> None:
    assert set(Envelope.model_fields) - ENVELOPE == set()
    assert is_shown(changed({}, by="a" * 64)), "the office answers for what its posts did"


@pytest.mark.parametrize(
    "event",
    [
        changed({"complainant": "somebody"}),
        changed({"complainant": TO}),
        changed({"complainants": []}),
        changed({"level": {"complainant": "somebody"}}),
        changed({"reason": "typed words"}),
        changed({"reason": {**TO, "words": "typed words"}}),
        changed({}, caller="somebody"),
        changed({}, type="huiying.incident.graded.v2"),
        changed({}, type="huiying.incident.sung_about.v1"),
    ],
)
def test_a_field_and_a_type_that_nobody_decided_on_are_withheld(event: Event) -> None:
    assert not is_shown(event)
