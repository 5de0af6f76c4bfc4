"""Which published statements say exactly what circulates, and which ones are like it.

The database gets numbers made of the text, never the text itself.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qs, urlsplit

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import UUID
from schemas.numbers import number_read, parts
from services.kernel.core.difference import Piece
from services.kernel.settings import Settings
from services.kernel.store import numbers
from services.kernel.store.database import is_sqlite
from services.kernel.store.views import Row
from services.publish.bulletin import queries
from services.publish.delivering.public import to_post
from services.publish.verifying import likeness
from services.publish.verifying.differing import differences
from services.publish.verifying.likeness import Hidden, compared, hidden_in
from services.publish.views import METADATA

OF_ONE = 400
"""At most so many statements are taken for one number. A number that so many have weighs little."""
CANDIDATES = 24
"""So many statements are compared in full."""
CHARACTERS = 400_000
"""No further statement is compared when those before it have so many characters together. The exact one comes first."""
NEAR = 3
"""So many similar statements are shown."""
LEAST = 0.3
"""Less likeness than this is none: both have common phrases of offices."""
_BARE = re.compile(r"[A-Za-z0-9.-]+\.[A-Za-z]{2,}(:[0-9]+)?/\S*")
"""An address as people copy it, without `https://`."""
ADDRESS = 2000
"""A longer text is no number and no address."""
_ID = re.compile(f"statement-{UUID}")
_AROUND = " \t\r\n<>()[]{}（）《》〈〉【】「」“”‘’\"'。，、；：！？…,.;:!?"
"""What people copy together with an address or a number: brackets, quotation marks, the end of the sentence."""
_NUMBER = re.compile(r"[a-z0-9][a-z0-9-]{0,63}-[12][0-9]{3}-S[0-9]{5,9}")


class Said(NamedTuple):
    """A release that says exactly a text."""

    statement: str
    """The statement's id."""
    release: int
    """From 1 on."""
    holds: bool
    """Whether the text holds now: it was not corrected since, and not withdrawn."""
    ended: bool
    """Whether the statement was withdrawn."""
    announces: bool = False
    """Whether the text is what offices post of a withdrawal."""


class Near(NamedTuple):
    """A statement that is like a text and does not say it."""

    statement: str
    release: int
    likeness: float
    """From 0 to 1."""
    pieces: list[Piece]
    """The differences: deleted is what the statement says and the text does not, inserted the reverse."""


class Found(NamedTuple):
    """What is known of a text."""

    exact: list[Said]
    """Newest first."""
    near: list[Near]
    """The most similar first; empty if there are exact ones."""
    hidden: list[Hidden]
    """The characters of the text that nobody sees."""


class Named(NamedTuple):
    """A statement that a number, an id or an address names."""

    ref: str | None
    """The number or id; None for an address that names none."""
    is_foreign: bool = False
    """Whether it is the address of another site."""


def named_by(asked: str, settings: Settings) -> Named | None:
    """The statement that a short text names. None for a text that is no number, id or address."""
    told = asked.strip(_AROUND)
    if len(told) > ADDRESS:
        return None
    told = told.translate(likeness.FULL)
    if ref := _ref(told):
        return Named(ref)
    ours = urlsplit(settings.link("bulletin/"))
    if _BARE.fullmatch(told):
        told = f"{ours.scheme}://{told}"
    if not re.fullmatch(r"(?i:https?)://\S+", told):
        return None
    try:
        theirs = urlsplit(told)
        is_ours = _site(ours) == _site(theirs) and theirs.path.startswith(ours.path)
        query = parse_qs(theirs.query)
    except ValueError:
        return Named(None, is_foreign=True)
    if not is_ours:
        return Named(None, is_foreign=True)
    rest = theirs.path.removeprefix(ours.path)
    if rest == "verify":
        return Named(_ref(next(iter(query.get("statement", ())), "")))
    return Named(_ref(rest.removeprefix("statements/").partition("/")[0]) if rest.startswith("statements/") else None)


def _ref(told: str) -> str | None:
    """The number or id that somebody meant; None for anything else, such as a look-alike letter in it."""
    if _ID.fullmatch(told.lower()):
        return told.lower()
    number = number_read(told)
    return number if parts(number) is not None else None


def _site(address: SplitResult) -> tuple[str, str | None, int | None, str | None]:
    """What makes a site: scheme, host, port, and no name of a user in front of it. Raises `ValueError`."""
    usual = {"http": 80, "https": 443}.get(address.scheme)
    return address.scheme, address.hostname, address.port or usual, address.username


async def statement(connection: AsyncConnection, ref: str) -> Row | None:
    """The published statement with this number or id."""
    id_ = ref
    if parts(ref) is not None:
        id_ = (await numbers.streams_of(connection, METADATA, [ref])).get(ref, "")
    return await queries.public_statement(connection, id_) if _ID.fullmatch(id_) else None


async def find(connection: AsyncConnection, pasted: str) -> Found:
    """Compares a text with all published ones."""
    return await asyncio.to_thread(judge, pasted, *await candidates(connection, pasted))


async def candidates(connection: AsyncConnection, pasted: str) -> tuple[dict[str, list[Row]], list[str]]:
    """The statements to compare with a text, and the ids of those whose numbers stand in it."""
    asked = await asyncio.to_thread(likeness.asked_by, pasted)
    named = await _named_in(connection, pasted)
    ids = [*named, *(id_ for id_ in await _nearest(connection, asked) if id_ not in named)]
    said = await queries.public_releases(connection, ids[:CANDIDATES])
    sizes = accumulate(sum(len(release["text"] or "") for release in releases) for releases in said.values())
    before = [0, *sizes]
    return {id_: said[id_] for id_, size in zip(said, before, strict=False) if size < CHARACTERS}, named


async def _named_in(connection: AsyncConnection, pasted: str) -> list[str]:
    """The statements whose numbers or addresses stand in a text: forged notices copy them."""
    told = list(dict.fromkeys(_NUMBER.findall(pasted)))[:NEAR]
    counted = (await numbers.streams_of(connection, METADATA, told)).values() if told else ()
    return list(dict.fromkeys((*counted, *_ID.findall(pasted))))[:NEAR]


async def _nearest(connection: AsyncConnection, asked: Sequence[int]) -> list[str]:
    """The statements that share most of these numbers. A number counts the more, the fewer have it."""
    if is_sqlite(connection):
        given: dict[str, Any] = {f"number{at}": number for at, number in enumerate(asked)}
        found = await connection.execute(_in_sqlite(len(asked)), given)
    else:
        found = await connection.execute(_IN_POSTGRES, {"numbers": list(asked)})
    return [row.statement_id for row in found]


_ORDERED = f"group by statement_id order by sum(weight) desc, statement_id desc limit {CANDIDATES}"
_WEIGHED = (
    "select statement_id, 1.0 / count(*) over () as weight from (select statement_id from likenesses "
    f"where number = {{}} order by statement_id desc limit {OF_ONE}) as few"
)
_IN_POSTGRES = text(
    "select found.statement_id from unnest(cast(:numbers as bigint[])) as asked(number) "
    f"cross join lateral ({_WEIGHED.format('asked.number')}) as found {_ORDERED}"
)


@lru_cache(128)
def _in_sqlite(count: int) -> TextClause:
    """SQLite has no lateral join, so each number is a part of the statement."""
    each = " union all ".join(f"select * from ({_WEIGHED.format(f':number{at}')})" for at in range(count))
    return text(f"select statement_id from ({each}) {_ORDERED}")


def judge(pasted: str, known: Mapping[str, Sequence[Row]], named: Sequence[str] = ()) -> Found:
    """Compares a text with statements, given by their ids and releases. Pure.

    Those that the text names are shown, however unlike they are.
    """
    told, hidden = compared(pasted), hidden_in(pasted)
    exact = [
        Said(id_, at, at == _holding(releases), _holding(releases) is None, releases[at - 1]["kind"] == "withdrawal")
        for id_, releases in known.items()
        for at, wordings in _wordings(releases)
        if told and told in map(compared, wordings)
    ]
    if exact:
        exact.sort(key=lambda one: (one.holds, known[one.statement][0]["at"], one.release), reverse=True)
        return Found(exact, [], hidden)
    runs = _runs(pasted)
    alike: list[tuple[float, str, int, str, str]] = []
    for id_, releases in known.items():
        best = max((_alike(runs, _runs(title + said)), at, title, said) for at, title, said in _texts(releases))
        alike.append((best[0], id_, *best[1:]))
    alike.sort(key=lambda one: (one[1] not in named, -one[0], one[1]))
    near = [
        Near(id_, at, score, differences(title, said, pasted))
        for score, id_, at, title, said in alike[:NEAR]
        if score >= LEAST or id_ in named
    ]
    return Found([], near, hidden)


def _texts(releases: Sequence[Row]) -> list[tuple[int, str, str]]:
    """The texts of a statement: number of the release, the title that held then, the text."""
    found, title = [], ""
    for at, release in enumerate(releases, 1):
        title = release["title"] or title
        if release["text"] is not None:
            found.append((at, title, release["text"]))
    return found


def _wordings(releases: Sequence[Row]) -> Iterator[tuple[int, list[str]]]:
    """What stands where a release was posted: its text, also below its title, and with the reason why it changed."""
    said = {at: (title, text) for at, title, text in _texts(releases)}
    title = ""
    for at, release in enumerate(releases, 1):
        title, text = said.get(at, (title, ""))
        posted = to_post(release["kind"], title, text, release["reason"] or "")
        below = posted.removeprefix(f"{title}\n")
        yield at, [text, f"{title}\n{text}", below, posted] if at in said else [posted]


def _holding(releases: Sequence[Row]) -> int | None:
    """The release whose text holds now; None after a withdrawal."""
    return None if releases[-1]["kind"] == "withdrawal" else len(releases)


def _runs(words: str) -> frozenset[str]:
    told = likeness.loose(words)
    return frozenset(told[at : at + 3] for at in range(max(1, len(told) - 2)))


def _alike(one: frozenset[str], other: frozenset[str]) -> float:
    """How much two texts share; nearly as much if one of them is a part of the other."""
    both = len(one & other)
    return max(2 * both / (len(one) + len(other)), 0.9 * both / max(1, min(len(one), len(other))) if both > 8 else 0)
