"""The lists of a deployment: codes of categories, facts and channels, and public telephones.

Other codes are refused.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from schemas.lists import Category, Coded, FactKey, Peer, Site
from services.kernel.core.problems import Malformed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lists:
    """Each list by code. A pack adds its own facts, see `fact`."""

    categories: Mapping[str, Category] = field(default_factory=dict)
    facts: Mapping[str, FactKey] = field(default_factory=dict)
    channels: Mapping[str, Coded] = field(default_factory=dict)
    sites: tuple[Site, ...] = ()
    peers: Mapping[str, Peer] = field(default_factory=dict)
    """The other deployments that this one knows, by their names."""
    telephones: frozenset[str] = frozenset()
    """Telephones of offices that the public may see: the digits of each, with and without its area code."""

    def category(self, code: str, field: str = "category") -> Category:
        """The category. Raises `Malformed` for an unknown code."""
        return _of(self.categories, code, "category", field)

    def channel(self, code: str, field: str = "channel") -> Coded:
        """The channel. Raises `Malformed` for an unknown code."""
        return _of(self.channels, code, "channel", field)

    def fact(self, key: str, further: Iterable[FactKey] = (), field: str = "key") -> FactKey:
        """The fact that the deployment or the pack in force (`further`) lists under this key.

        Raises `Malformed` for others.
        """
        return _of({**self.facts, **{one.key: one for one in further}}, key, "fact", field)

    def peer(self, name: str, field: str = "to") -> Peer:
        """The other deployment. Raises `Malformed` for one that this deployment does not know."""
        return _of(self.peers, name, "deployment", field)

    def names_matter(self, unit: str, host: str, rest: str) -> bool:
        """Whether the unit takes an address as the subject of a matter. `rest` is the part after the host."""
        return any(unit in site.units and site.has_page(host, rest) for site in self.sites)


def _of(known: Mapping[str, T], code: str, what: str, field: str) -> T:
    found = known.get(code)
    if found is None:
        raise Malformed(
            f"{field}: no {what} has the code {code!r}; known are {', '.join(known)}",
            code="not-listed",
            field=field,
            given=code,
            known=list(known),
        )
    return found
