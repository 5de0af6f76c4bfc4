"""How much masking finds, and how little it masks wrongly, measured on planted forms."""

from functools import cache

import pytest

from services.kernel.masking import find
from tests.kit import planted
from tests.kit.planted import Score

pytestmark = pytest.mark.requirement("ING-02")

PERSONAL, NOBODYS = planted.forms()
FOUND, TOUCHED = 0.97, 0.05


def spans(text: str) -> list[tuple[int, int]]:
    return [(begin, end) for begin, end, _ in find(text)]


@cache
def scores() -> tuple[dict[str, Score], dict[str, Score]]:
    carriers = [text for text in planted.carriers() if not find(text)]
    return (
        planted.score(spans, planted.plant(PERSONAL, carriers, 2)),
        planted.score(spans, planted.plant(NOBODYS, carriers, 2)),
    )


@pytest.mark.parametrize("kind", PERSONAL)
def test_nearly_every_form_is_found(kind: str) -> None:
    found = scores()[0][kind]
    assert found.right >= FOUND, [one.written for one in found.wrong]


@pytest.mark.parametrize("kind", NOBODYS)
def test_hardly_anything_else_is_touched(kind: str) -> None:
    touched = scores()[1][kind]
    assert touched.right >= 1 - TOUCHED, [one.written for one in touched.wrong]


def test_what_stands_around_stays() -> None:
    carriers = [text for text in planted.carriers() if not find(text)]
    for one in planted.plant(PERSONAL, carriers, 1):
        masked = {at for begin, end in spans(one.text) for at in range(begin, end)}
        secret = {at for begin, end in one.secrets for at in range(begin, end)}
        assert not [at for at in masked if not one.begin <= at < one.end], one.text
        more = [one.text[at] for at in sorted(masked - secret) if one.text[at].isalnum()]
        assert not more or "{name}" in one.form, (one.form, more)
