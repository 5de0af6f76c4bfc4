"""What a file of the policy folder is, and whether it can be used."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from schemas.lists import CategoryList, ChannelList, FactList, SiteList, TelephoneList
from services.kernel.core.problems import Rejected
from services.kernel.rules.documents import DocumentError, Fault, read_file
from services.kernel.rules.packs import load_pack, load_packs
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
    return f"the policy pack {load_pack(path).ref}"


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
