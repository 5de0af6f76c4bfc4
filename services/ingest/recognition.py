"""How a report is recognised: by the sender's own id, and by its subject and place. Pure.

Events carry only keyed digests, so nobody can test whether a certain thing was reported.
"""

import re
import unicodedata
from collections.abc import Callable
from urllib.parse import urlsplit

import orjson

from services.ingest.commands import Report
from services.kernel.core.decider import Actor
from services.kernel.core.lists import Lists
from services.kernel.masking import MARKERS, Kind, normalise

Keyed = Callable[..., str]
_DELIVERY = {"source", "external_id", "discovered_at", "written_at"}
"""These fields describe the delivery. A repetition may have other values in them."""
_MARKERS = re.compile("|".join(map(re.escape, MARKERS.values())))
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")
"""Unicode categories of invisible characters."""


def duplicate(report: Report, actor: Actor, keyed: Keyed) -> str | None:
    """The digest of the sender's id of a report; None without one. Each integration has its own numbering."""
    if report.source is None or report.external_id is None:
        return None
    return keyed("duplicate", actor.post, report.source, report.external_id)


def sent(report: Report, duplicate: str, keyed: Keyed) -> str:
    """The digest of the sent content under the sender's id, before masking: another version may mask differently."""
    content = report.model_dump(mode="json", exclude=_DELIVERY, exclude_none=True)
    return keyed("sent", duplicate, orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode())


def match_key(typed: Report, clean: Report, lists: Lists, keyed: Keyed) -> str | None:
    """The digest of the unit, the place and the subject: the report's address, else its subject line.

    None if neither identifies a matter. `typed` is the report before masking, `clean` after. An address counts only on
    the sites that the unit lists. A person's page or a whole site is no matter. A place that masking shortened could
    look like another one, so the typed place counts. Reports without a place have the same one, which nobody knows.
    """
    about = _address(typed, clean, lists) or _subject(clean.subject)
    return keyed("match", typed.unit, about, _normal(typed.place or "") or "") if about else None


def place_key(typed: Report, keyed: Keyed) -> str | None:
    """The digest of the unit and the place, by which reports of one place are counted. None without a place."""
    place = _normal(typed.place) if typed.place else None
    return keyed("place", typed.unit, place) if place else None


def _address(typed: Report, clean: Report, lists: Lists) -> str | None:
    if typed.url is None or clean.url is None or _leads_to_person(clean.url):
        return None
    parts = urlsplit(typed.url)
    host = (parts.hostname or "").rstrip(".")
    rest = typed.url[len(parts.scheme) + len("://") + len(parts.netloc) :]
    if not lists.names_matter(typed.unit, host, rest):
        return None
    port = "" if parts.port in (None, 80, 443) else f":{parts.port}"
    return unicodedata.normalize("NFKC", f"{host}{port}{rest.rstrip('/')}")


def _leads_to_person(url: str) -> bool:
    """Whether the masked address is a personal page, or searches for a person. A post's address is neither."""
    return MARKERS[Kind.PROFILE] in url or f"={MARKERS[Kind.ACCOUNT]}" in url


def _subject(subject: str) -> str | None:
    """The subject in normal form; None if no letter and no digit of the writer's words is left."""
    return _normal(_MARKERS.sub(" ", subject))


def _normal(words: str) -> str | None:
    """The words in normal form; None if they have no letter and no digit."""
    normal = normalise(words)
    says = any(unicodedata.category(char)[0] in "LN" and char not in _FILLERS for char in normal)
    return normal if says else None
