"""Who a person of the provider is here: name and posts, from the provider's claims and the office's own mapping."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints

from services.kernel.rules.documents import read_file
from services.kernel.settings import Settings

LONGEST_NAME = 60
MOST = 40
"""So many posts one person can hold."""
PostName = Annotated[str, StringConstraints(pattern=r"^[^\s@]+@[^\s@]+$", max_length=130)]


class Posts(BaseModel):
    """The file of `HUIYING_OIDC_MAPPING`: the posts of groups and of people, as `post@unit`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    groups: dict[str, list[PostName]] = {}
    people: dict[str, list[PostName]] = {}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom the provider knows."""

    subject: str
    """What tells people of the provider apart."""
    name: str
    posts: tuple[str, ...]
    """`post@unit`, each once. The directory may lack some."""


class NotNamed(ValueError):
    """The claims do not say who the person is."""


def wanted(settings: Settings) -> tuple[str, ...]:
    """The claims that a sign-in needs. What the identity token lacks, the provider's page of the person may have."""
    groups = settings.oidc_groups_claim if settings.oidc_mapping else ""
    named = (settings.oidc_person_claim, settings.oidc_name_claim, settings.oidc_posts_claim, settings.oidc_unit_claim)
    return tuple(name.partition(".")[0] if "://" not in name else name for name in (*named, groups) if name)


def read_mapping(path: Path) -> Posts:
    """The mapping. Raises `DocumentError` with each fault and its line, or `OSError`."""
    return read_file(path).model(Posts)


def person(settings: Settings, mapping: Posts, claims: Mapping[str, Any]) -> Person:
    """The person of these claims. Raises `NotNamed`."""
    named = texts(claims, settings.oidc_person_claim)
    if len(named) != 1:
        raise NotNamed(f"the claim {settings.oidc_person_claim} does not name one person")
    units = texts(claims, settings.oidc_unit_claim)
    posts = [
        post if "@" in post else f"{post}@{unit}"
        for post in texts(claims, settings.oidc_posts_claim)
        for unit in ([""] if "@" in post else units)
    ]
    for group in texts(claims, settings.oidc_groups_claim):
        posts += mapping.groups.get(group, ())
    posts += mapping.people.get(named[0], ())
    name = " ".join(re.sub(r"[^\w\s.·'’-]", "", " ".join(texts(claims, settings.oidc_name_claim))).split())
    return Person(named[0], name[:LONGEST_NAME] or "—", tuple(dict.fromkeys(posts)))


def texts(claims: Mapping[str, Any], name: str) -> list[str]:
    """The texts of a claim: one, or a list. A dotted name looks into parts: `realm_access.roles`."""
    found: Any = claims.get(name) if name else None
    if found is None and "." in name:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    several = found if isinstance(found, list) else [found]
    return [
        str(one).strip()
        for one in several
        if isinstance(one, str | int) and not isinstance(one, bool) and str(one).strip()
    ]
