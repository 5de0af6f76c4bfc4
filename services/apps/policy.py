"""What a file of the policy folder is, and whether it can be used."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from schemas.lists import CategoryList, ChannelList, FactList, SiteList, TelephoneList
from schemas.pack import PolicyPack
from schemas.pack.clocks import Limit
from schemas.pack.source import Source
from services.apps.terminal import CannotDo
from services.kernel.core.problems import Rejected
from services.kernel.core.units import LoadedPack
from services.kernel.rules.documents import DocumentError, Fault, read_file
from services.kernel.rules.packs import load_pack, load_packs, must_be_alone
from services.triage import setup, units

LISTS: Mapping[str, tuple[str, type[BaseModel]]] = {
    "categories.yaml": ("the list of categories", CategoryList),
    "facts.yaml": ("the list of facts", FactList),
    "channels.yaml": ("the list of channels", ChannelList),
    "sites.yaml": ("the list of sites", SiteList),
    "telephones.yaml": ("the list of telephones", TelephoneList),
}


def read(path: Path) -> str:
    """What the file is, in words. Raises `DocumentError` with each fault, or `OSError`.

    The tree of units is checked as the start checks it, with the packs beside it.
    """
    if path.name == "units.yaml":
        return f"the tree of units, with {_places(path)} places,"
    if path.name in LISTS:
        words, model = LISTS[path.name]
        read_file(path).model(model)
        return words
    must_be_alone(path)
    return f"the policy pack {load_pack(path).ref}"


class Row(NamedTuple):
    """A rule of a pack, for readers."""

    name: str
    title: str
    source: Source
    value: str = ""

    @property
    def clause(self) -> str:
        """Document, clause and quotation, or the reason of a rule of our own."""
        quote = f"「{self.source.quote}」" if self.source.quote else ""
        return " ".join(part for part in (self.source.document, self.source.clause, quote) if part) or (
            self.source.reason or ""
        )


def rows(pack: PolicyPack) -> dict[str, list[Row]]:
    """The rules of a pack in the order in which it is read: section -> its rules."""
    chains = pack.approval.chains if pack.approval else ()
    return {
        "levels": [Row(one.code, one.title_zh, one.source) for one in pack.levels],
        "answers": [Row(one.kind, one.title_zh, one.source) for one in pack.answers],
        "limits": [_limited(one.name, one.title_zh, one.limit, one.source) for one in pack.clocks],
        "reports": [
            _limited(hop.code, report.title_zh, hop.limit, hop.source) for report in pack.reports for hop in report.hops
        ],
        "approval": [
            Row(f"{chain.code}.{step.code}", step.title_zh, step.source, " / ".join(step.who))
            for chain in chains
            for step in chain.steps
        ],
    }


def _limited(name: str, title: str, limit: Limit, source: Source) -> Row:
    """A rule with a limit. An open limit is told by its own source."""
    if limit.is_open and limit.source:
        return Row(name, title, limit.source)
    value = limit.model_dump(mode="json", include={"mode", "duration", "days"}, exclude_none=True)
    return Row(name, title, source, " ".join(str(part) for part in value.values()))


def chosen(name: str, folder: Path, recorded: Mapping[str, LoadedPack] | None = None) -> LoadedPack:
    """The pack of a name: `id` (its newest version), `id@version`, `id@version#digest`, or a file.

    It is looked for among the packs of the record, or in the folder if there are none.

    Raises `DocumentError`, `OSError`, or `CannotDo` with the packs that there are.
    """
    if is_file(name):
        return load_pack(Path(name))
    packs = recorded or load_packs(folder)
    found = [pack for ref, pack in packs.items() if name in (ref, pack.name, pack.model.id)]
    if not found:
        raise CannotDo(f"no pack {name!r}; there are {', '.join(pack.name for pack in packs.values())}")
    return max(found, key=lambda pack: pack.model.version)


def beside(name: str, folder: Path) -> Path:
    """The folder in which the cases of a pack stand: that of its file, or the policy folder."""
    return Path(name).parent if is_file(name) else folder


def is_file(name: str) -> bool:
    """Whether the name of a pack is that of a file."""
    return Path(name).suffix in (".yaml", ".yml") or Path(name).is_file()


def _places(path: Path) -> int:
    file = setup.read(path)
    places, packs = file.places(), {pack.model.id for pack in load_packs(path.parent).values()}
    try:
        units.placed(units.initial_state(), places, file.directory())
    except Rejected as error:
        raise DocumentError(str(path), Fault(0, "", error.detail)) from None
    for of in file.packs:
        if of.unit not in {place.unit for place in places}:
            raise DocumentError(str(path), Fault(0, "packs", f"there is no unit {of.unit}; correct its code"))
        if of.pack not in packs:
            told = f"no pack in {path.parent} has the id {of.pack!r}; there are {', '.join(sorted(packs))}"
            raise DocumentError(str(path), Fault(0, "packs", told))
    return len(places)
