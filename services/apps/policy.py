"""The kind of a file of the policy folder, and its check."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from schemas.lists import CategoryList, ChannelList, FactList, SiteList
from services.kernel.rules.documents import read_file
from services.kernel.rules.packs import load_pack
from services.triage import setup

LISTS: Mapping[str, tuple[str, type[BaseModel]]] = {
    "categories.yaml": ("the list of categories", CategoryList),
    "facts.yaml": ("the list of facts", FactList),
    "channels.yaml": ("the list of channels", ChannelList),
    "sites.yaml": ("the list of sites", SiteList),
}


def read(path: Path) -> str:
    """The kind of the file, in words. Raises `DocumentError` with each fault, or `OSError`."""
    if path.name == "units.yaml":
        return f"the tree of units, with {len(setup.read(path).places())} places,"
    if path.name in LISTS:
        words, model = LISTS[path.name]
        read_file(path).model(model)
        return words
    return f"the policy pack {load_pack(path).ref}"
