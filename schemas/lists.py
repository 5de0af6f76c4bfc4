"""The lists of a deployment: categories of matters, keys of facts, channels, sites, telephones of its offices.

Each is a YAML file of the policy folder. Officers and integrations choose codes from a list, and a code stays in events
for good. A list fixes the codes in advance, so that no code becomes a label on a person.
"""

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from schemas.fields import Digest, PeerName, UnitCode

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
CategoryCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){0,2}$", max_length=100)]
_TELEPHONE = re.compile(r"(?:010|02[0-9]|0[3-9][0-9]{2})-[2-8][0-9]{6,7}|1[3-9][0-9]{9}")
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
FactKind = Literal["text", "number", "time", "code", "yes_no"]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Titled(Model):
    """A code with titles for people, in Chinese and in English."""

    title: Title
    title_en: Title


class Coded(Titled):
    """An entry of a list."""

    code: Slug


class Category(Titled):
    """The category of a matter. `roads.lighting` is below `roads`; there are at most three levels."""

    code: CategoryCode

    @property
    def parent(self) -> str | None:
        return self.code.rpartition(".")[0] or None


class FactKey(Titled):
    """A fact that offices establish. A `number` has a `measure`, and a `code` is one of `codes`."""

    key: Slug
    kind: FactKind
    measure: Title | None = None
    codes: tuple[Coded, ...] = ()

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if (self.measure is not None) != (self.kind == "number"):
            raise ValueError(f"{self.key}: a number needs a measure; other kinds have none")
        if bool(self.codes) != (self.kind == "code"):
            raise ValueError(f"{self.key}: a fact of the kind code needs codes; other kinds have none")
        _each_once([one.code for one in self.codes])
        return self


class CategoryList(Model):
    """`categories.yaml`."""

    categories: tuple[Category, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_a_tree(self) -> Self:
        codes = [one.code for one in self.categories]
        _each_once(codes)
        for one in self.categories:
            if one.parent is not None and one.parent not in codes:
                raise ValueError(f"{one.code} is below {one.parent}, which is not in the list; add it")
        return self


class FactList(Model):
    """`facts.yaml`."""

    facts: tuple[FactKey, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_each_once(self) -> Self:
        _each_once([one.key for one in self.facts])
        return self


class ChannelList(Model):
    """`channels.yaml`."""

    channels: tuple[Coded, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_each_once(self) -> Self:
        _each_once([one.code for one in self.channels])
        return self


_START_PAGE = re.compile(r"/?(?:(?:index|default|home|main)\.[a-z]{2,5})?/?[?#]?", re.IGNORECASE)


class Site(Model):
    """A site on which one address is one matter, for these units. `below` limits it to addresses like `/thread/7`."""

    host: Annotated[str, StringConstraints(to_lower=True, pattern=r"^[^\s/:@?#]+\.[^\s/:@?#.]+$", max_length=253)]
    units: tuple[UnitCode, ...] = Field(min_length=1)
    below: Annotated[str, StringConstraints(pattern=r"^/[^\s?#]*$", max_length=500)] = "/"

    def has_page(self, host: str, rest: str) -> bool:
        """Whether an address is on the site and is more than a start page. `rest` is the part after the host."""
        inside = host == self.host and rest.startswith(self.below)
        return inside and not _START_PAGE.fullmatch(rest[len(self.below) :])


class SiteList(Model):
    """`sites.yaml`."""

    sites: tuple[Site, ...]


class Peer(Titled):
    """Another deployment, to which matters are handed over, or from which they come.

    `log` are the verifier keys of its log, `keys` the public keys by which it signs messages, as `huiying peer` prints
    them there. What it hands over goes to the unit `takes`; without it, nothing is taken from it.
    """

    name: PeerName
    address: Annotated[str, StringConstraints(pattern=r"^https://[^\s/?#@]+(/[^\s?#]*[^\s/?#])?$", max_length=300)]
    log: tuple[str, ...] = Field(min_length=1)
    keys: tuple[Digest, ...] = Field(min_length=1)
    hands: bool = False
    takes: UnitCode | None = None
    witnessed: bool = False


class PeerList(Model):
    """`peers.yaml`. A deployment that knows no other needs no such file."""

    peers: tuple[Peer, ...]

    @model_validator(mode="after")
    def _has_each_once(self) -> Self:
        _each_once([one.name for one in self.peers])
        _each_once([key for one in self.peers for key in one.keys])
        return self


class TelephoneList(Model):
    """`telephones.yaml`: telephones that offices give to the public."""

    telephones: tuple[str, ...]

    @model_validator(mode="after")
    def _has_area_codes(self) -> Self:
        for number in self.telephones:
            if not _TELEPHONE.fullmatch(number):
                raise ValueError(f"{number} is no telephone; write it with its area code, such as 0731-88880000")
        _each_once(list(self.telephones))
        return self


def _each_once(codes: list[str]) -> None:
    for code in codes:
        if codes.count(code) > 1:
            raise ValueError(f"{code} stands twice; keep one")
