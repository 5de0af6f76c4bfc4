"""A thousand forged notices: none is taken for published, and each shows where it was changed."""

from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest

from schemas.fields import WordsRef
from schemas.publish import StatementDrafted, StatementPublished
from services.kernel.core.difference import Piece
from services.kernel.core.ids import derived
from services.publish.verifying import finding
from services.publish.verifying.likeness import compared
from tests.kit import circulating, spec
from tests.kit.circulating import Notice
from tests.publish.conftest import INCIDENT, Office

SEED, STATEMENTS, FORGED = 45, 60, 1_000


async def publish(office: Office, notices: Sequence[Notice]) -> dict[str, Notice]:
    """Puts statements on the bulletin. Returns them by their ids."""
    made = {}
    for at, notice in enumerate(notices):
        uuid, words = derived("notice", str(at)), WordsRef(ref=derived("words"), digest="0" * 64)
        drafted = {"unit": "town-east", "incident": INCIDENT, "kind": "status", "by": "0" * 64}
        await office.hear(
            spec.events(
                "statement",
                [
                    StatementDrafted.model_validate(drafted | {"title": words, "draft": words}),
                    StatementPublished.model_validate(drafted | {"title": notice.title, "text": notice.text}),
                ],
                uuid=uuid,
            )
        )
        made[f"statement-{uuid}"] = notice
    return made


def shows(pieces: Sequence[Piece], old: str, new: str) -> bool:
    """Whether the pieces are both texts, and the first change is where the texts first differ."""
    before = compared("".join(one.text for one in pieces if one.kind != "insert"))
    after = compared("".join(one.text for one in pieces if one.kind != "delete"))
    differs = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    equal = compared(pieces[0].text) if pieces[0].kind == "equal" else ""
    first = len(equal)
    changed = [one for one in pieces if one.kind != "equal"]
    return (before, after) == (old, new) and first <= differs <= first + sum(len(one.text) for one in changed)


async def a_thousand_are_found(office: Office) -> None:
    random = Random(SEED)
    made = await publish(office, list(circulating.notices(STATEMENTS, SEED)))
    ways, places = Counter[str](), Counter[bool]()
    async with office.runtime.database.read() as connection:
        for id_, notice in made.items():
            assert (await finding.find(connection, notice.text)).exact[0].statement == id_
        for at in range(FORGED):
            id_, notice = list(made.items())[at % len(made)]
            way, text = circulating.forged(notice.text, random)
            found = await finding.find(connection, text)
            assert found.exact == [], (way, text)
            assert found.near, (way, text)
            assert found.near[0].statement == id_, (way, text)
            assert shows(found.near[0].pieces, compared(notice.text), compared(text)), (way, found.near[0].pieces)
            changed = sum(len(one.text) for one in found.near[0].pieces if one.kind != "equal")
            places[changed <= 24] += 1
            ways[way] += 1
    assert set(ways) == set(circulating.WAYS)
    assert min(ways.values()) >= 20
    assert places[True] > 0.9 * FORGED


async def test_no_forged_notice_passes_and_each_change_is_shown(office: Office) -> None:
    await a_thousand_are_found(office)


@pytest.mark.parametrize("way", sorted(circulating.WAYS))
def test_each_way_of_forging_changes_what_is_compared(way: str) -> None:
    random = Random(way)
    for notice in circulating.notices(12, 7):
        forged = circulating.WAYS[way](notice.text, random)
        assert forged == notice.text or compared(forged) != compared(notice.text), forged
