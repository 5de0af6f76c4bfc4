"""The lists of a deployment, from the policy folder."""

import functools
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel

from schemas.lists import CategoryList, ChannelList, FactList, Peer, PeerList, SiteList, TelephoneList
from services.kernel.core.lists import Lists
from services.kernel.rules.documents import DocumentError, Fault, M, read_bytes
from services.kernel.tlog import Refused
from services.kernel.tlog.note import ED25519, Verifier


def load_lists(directory: Path) -> Lists:
    """The files of a folder besides packs and units. Raises `DocumentError`, or `OSError`."""
    telephones = _read(directory / "telephones.yaml", TelephoneList).telephones
    return Lists(
        categories={one.code: one for one in _read(directory / "categories.yaml", CategoryList).categories},
        facts={one.key: one for one in _read(directory / "facts.yaml", FactList).facts},
        channels={one.code: one for one in _read(directory / "channels.yaml", ChannelList).channels},
        sites=_read(directory / "sites.yaml", SiteList).sites,
        peers={one.name: one for one in load_peers(directory / "peers.yaml")},
        telephones=frozenset(form for one in telephones for form in (one.replace("-", ""), one.rpartition("-")[2])),
    )


def load_peers(path: Path) -> tuple[Peer, ...]:
    """The other deployments, if there is a list of them. Raises `DocumentError` for a key that cannot be read."""
    found = _read(path, PeerList).peers if path.exists() else ()
    for one in found:
        try:
            _must_be_usable(one)
        except (Refused, ValueError) as error:
            raise DocumentError(str(path), Fault(0, "", f"the keys of {one.name} are unusable: {error}")) from None
    return found


def _must_be_usable(peer: Peer) -> None:
    keys = [Verifier.parse(key) for key in peer.log]
    if any(key.kind != ED25519 for key in keys) or len({key.name for key in keys}) != 1:
        raise Refused("name the keys of one log, and no key of a witness")
    for one in peer.keys:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(one))


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
