"""The lists of a deployment, from the policy folder."""

import functools
from pathlib import Path

from pydantic import BaseModel

from schemas.lists import CategoryList, ChannelList, FactList, SiteList, TelephoneList
from services.kernel.core.lists import Lists
from services.kernel.rules.documents import DocumentError, Fault, M, read_bytes


def load_lists(directory: Path) -> Lists:
    """The five files of a folder besides packs and units. Raises `DocumentError`, or `OSError`."""
    telephones = _read(directory / "telephones.yaml", TelephoneList).telephones
    return Lists(
        categories={one.code: one for one in _read(directory / "categories.yaml", CategoryList).categories},
        facts={one.key: one for one in _read(directory / "facts.yaml", FactList).facts},
        channels={one.code: one for one in _read(directory / "channels.yaml", ChannelList).channels},
        sites=_read(directory / "sites.yaml", SiteList).sites,
        telephones=frozenset(form for one in telephones for form in (one.replace("-", ""), one.rpartition("-")[2])),
    )


def _read(path: Path, model: type[M]) -> M:
    if not path.exists():
        raise DocumentError(str(path), Fault(0, "", "is missing; the policy folder of this project has one to copy"))
    found = _parsed(path.read_bytes(), str(path), model)
    assert isinstance(found, model)
    return found


@functools.lru_cache(maxsize=32)
def _parsed(content: bytes, origin: str, model: type[BaseModel]) -> BaseModel:
    """Read once for a process: all its services use the same files."""
    return read_bytes(content, origin).model(model)
