"""Who looks at a page: the person, the post that acts, and how services are called for them."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from schemas.titles import Language
from services.console import words
from services.console.access.sessions import Session
from services.console.calls import Calls
from services.kernel.access import tokens
from services.kernel.access.signing import SigningKey

_CODE = re.compile(r"(?<![\w@./-])[a-z][a-z0-9]*(?:-[a-z0-9]+)*(?![\w@-])", re.ASCII)
_POST = re.compile(r"(?<![\w@-])[a-z][a-z0-9_]*@[a-z0-9-]+", re.ASCII)
TOKEN_LIFE = timedelta(minutes=5)
"""How long a token of the console is believed. The session lasts longer, and can be ended at once."""


@dataclass(frozen=True, slots=True)
class Staff:
    """A person who signed in, with the post that acts."""

    session: Session
    post: str
    """`post@unit`."""
    roles: tuple[str, ...]
    language: Language
    csrf: str
    calls: Calls
    offices: "Offices"

    @property
    def unit(self) -> str:
        """The unit of the post."""
        return self.post.partition("@")[2]

    @property
    def is_drill(self) -> bool:
        """Whether the post belongs to a unit for exercises."""
        return self.offices.drills(self.unit)

    @property
    def name(self) -> str:
        """The person's name, shown to themselves alone."""
        return self.session.account.name

    def grouped(
        self, choices: Sequence[tuple[str, str]], chosen: Collection[str] = ()
    ) -> list[tuple[str, list[tuple[str, str]]]]:
        """Posts under the names of their units: units with a chosen post first, then the own one, then as they come.

        Other choices are one group without a name, the chosen ones first: of a long list people see the beginning
        alone.
        """
        order = sorted(choices, key=lambda one: one[0] not in chosen)
        units = [value.partition("@")[2] for value, _ in order]
        if not order or not all(unit in self.offices.units for unit in units):
            return [("", order)]
        groups: dict[str, list[tuple[str, str]]] = {}
        for unit, one in zip(units, order, strict=True):
            groups.setdefault(unit, []).append(one)

        def place(unit: str) -> tuple[bool, bool]:
            return all(value not in chosen for value, _ in groups[unit]), unit != self.unit

        return [(self.offices.unit(unit), groups[unit]) for unit in sorted(groups, key=place)]


@dataclass(slots=True)
class Offices:
    """The units and posts, as triage tells them. Titles of codes that only the deployment knows."""

    units: dict[str, dict[str, Any]] = field(default_factory=dict)
    former: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Units that have ended, at their last place."""
    site_name: str = ""
    """The name of the deployment's pages; empty before triage told it."""
    titles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The titles of the packs' codes: levels, clocks and others, each by its code."""

    def choices(self) -> dict[str, list[tuple[str, str]]]:
        """These titles by the names that the members of a problem have."""
        named = {"level": "levels", "flag": "flags", "period": "periods", "ground": "return_grounds"}
        named |= {"clocks": "clocks", "harm": "harm_scale"}
        return {
            name: [(str(code), title) for code, title in self.titles[kind].items()]
            for name, kind in named.items()
            if kind in self.titles
        }

    def unit(self, code: str | None) -> str:
        """The name of a unit, also of one that has ended; its code if it is unknown."""
        if not code:
            return ""
        known = self.units.get(code) or self.former.get(code) or {}
        return str(known.get("name") or code)

    def below(self, unit: str) -> set[str]:
        """A unit and all units below it, also those that have ended."""
        ever, found = {**self.former, **self.units}, {unit}
        while further := {code for code, one in ever.items() if one["parent"] in found} - found:
            found |= further
        return found

    def tree(self) -> list[tuple[int, dict[str, Any]]]:
        """The units that stand, each below its parent, with their depth."""
        found: list[tuple[int, dict[str, Any]]] = []

        def take(parent: str | None, depth: int) -> None:
            for one in self.units.values():
                if one["parent"] == parent:
                    found.append((depth, one))
                    take(one["unit"], depth + 1)

        take(None, 0)
        return found

    def post(self, named: str | None) -> str:
        """The title of a post, with its unit."""
        if not named:
            return ""
        code, _, unit = named.partition("@")
        for one in self.units.get(unit, {}).get("posts", ()):
            if one["post"] == named:
                return f"{self.unit(unit)} {one['title']}"
        if not unit:
            kind, _, key = named.partition("-")
            return f"{words.title(kind, 'zh')} {key[:8]}" if kind == "integration" and key else named
        return f"{self.unit(unit)} {words.title(code, 'zh')}"

    def named(self, sentence: str, language: Language) -> str:
        """A sentence of a service, with the names of the posts and units that it says by their codes.

        In English a code that is a word of the language stays: "county".
        """
        sentence = _POST.sub(lambda found: self.post(found[0]), sentence)
        return _CODE.sub(
            lambda found: self.unit(found[0]) if language == "zh" or "-" in found[0] else found[0], sentence
        )

    def roles(self, named: str) -> tuple[str, ...]:
        """The roles of a post; none if the directory does not have it."""
        unit = named.partition("@")[2]
        found = (post["roles"] for post in self.units.get(unit, {}).get("posts", ()) if post["post"] == named)
        return tuple(next(found, ()))

    def drills(self, unit: str | None) -> bool:
        """Whether a unit is one for exercises."""
        return bool(self.units.get(unit or "", {}).get("drill"))

    def posts(self, unit: str | None = None, *, drill: bool | None = None) -> list[tuple[str, str]]:
        """Every post that a person can hold, with its title; of one unit, if it is named.

        `drill` leaves only the posts of units for exercises, or only those of the others.
        """
        return [
            (post["post"], self.post(post["post"]))
            for code, one in self.units.items()
            for post in one["posts"]
            if not post["members"] and unit in (None, code) and drill in (None, self.drills(code))
        ]

    def members(self, bodies: Collection[str]) -> list[tuple[str, str]]:
        """The posts that decide together in any of these bodies; posts that are no body have none."""
        units = {named.partition("@")[2] for named in bodies}
        found = (post for unit in units for post in self.units.get(unit, {}).get("posts", ()) if post["post"] in bodies)
        every = dict.fromkeys(member for body in found for member in body["members"])
        return [(member, self.post(member)) for member in every]

    def above(self, unit: str) -> list[tuple[str, str]]:
        """The posts and bodies of a unit and of those above it, with their titles: to whom it reports."""
        found: list[tuple[str, str]] = []
        seen: set[str] = set()
        at: str | None = unit
        while at in self.units and at not in seen:
            seen.add(at)
            found += [(post["post"], self.post(post["post"])) for post in self.units[at]["posts"]]
            at = self.units[at]["parent"]
        return found

    def names(self, *, drill: bool | None = None) -> list[tuple[str, str]]:
        """Every unit with its name, in the order of the tree.

        `drill` leaves only the units for exercises, or only the others.
        """
        return [(code, self.unit(code)) for code in self.units if drill in (None, self.drills(code))]


def token(key: SigningKey, deployment: str, account: str, post: str) -> str:
    """A short-lived token for the post that acts. Its roles are those that the directory gives the post by then."""
    code, _, unit = post.partition("@")
    said = tokens.claims(deployment, person=account, unit=unit, post=code, life=TOKEN_LIFE)
    return tokens.sign(key, said)
