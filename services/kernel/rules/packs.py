"""Policy packs from files, checked before they come into the record.

The name of a pack is `id@version#digest`. The digest is SHA-256 over the canonical content: JSON with sorted keys, and
each scalar as the text in the file. So comments and layout do not change the digest, and any value does.
"""

import functools
import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from schemas.pack import PolicyPack
from schemas.pack.clocks import ClockRule
from schemas.pack.source import rules
from schemas.said import Said
from services.kernel.core.units import LoadedPack
from services.kernel.rules import conditions, pack_words, templates
from services.kernel.rules.documents import MAX_BYTES, Document, DocumentError, Fault, read, read_file

NO_PACKS = frozenset(
    {
        *("units.yaml", "categories.yaml", "facts.yaml", "channels.yaml", "peers.yaml", "sites.yaml"),
        *("telephones.yaml", pack_words.FILE),
    }
)


def load_packs(directory: Path) -> dict[str, LoadedPack]:
    """All packs of a folder by `ref`: every `*.yaml` except the files in `NO_PACKS`.

    Raises `DocumentError`, also for two files with the same id and version.
    """
    if not (paths := sorted(path for path in directory.glob("*.yaml") if path.name not in NO_PACKS)):
        raise DocumentError(str(directory), Fault(0, "", "no policy pack (*.yaml) here; name the folder that has them"))
    packs: dict[str, LoadedPack] = {}
    names: dict[str, Path] = {}
    for path in paths:
        document = read_file(path)
        pack = _pack(document)
        if pack.name in names:
            clash = f"{names[pack.name]} is {pack.name} too; raise the version of one"
            raise DocumentError(str(path), document.fault(("version",), clash))
        names[pack.name], packs[pack.ref] = path, pack
    return packs


def must_be_alone(path: Path) -> None:
    """Raises `DocumentError` if another pack of the file's folder has the same id and version."""
    document = read_file(path)
    pack = _pack(document)
    for beside in sorted(path.parent.glob("*.yaml")):
        with suppress(DocumentError):
            if beside != path and beside.name not in NO_PACKS and load_pack(beside).name == pack.name:
                clash = document.fault(("version",), f"{beside} is {pack.name} too; raise the version of one")
                break
    else:
        return
    raise DocumentError(str(path), clash)


def load_pack(path: Path) -> LoadedPack:
    """The pack of a file. Raises `DocumentError` with all faults, or `OSError`."""
    return _pack(read_file(path))


@functools.lru_cache(maxsize=64)
def parse_pack(text: str, origin: str = "<text>") -> LoadedPack:
    """The pack of a text: YAML, or a pack's `canonical`. `origin` is the file's name in a `DocumentError`."""
    return _pack(read(text, origin))


def _pack(document: Document) -> LoadedPack:
    model = document.model(PolicyPack)
    found = (*conditions.faults(model), *templates.faults(model))
    faults = [document.fault(place, told) for place, told in found]
    if faults:
        raise DocumentError(document.origin, *sorted(faults))
    canonical = json.dumps(document.content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    content = canonical.encode()
    if max(len(content), len(document.text.encode())) > MAX_BYTES:
        raise DocumentError(
            document.origin,
            Fault(
                1,
                "",
                Said(
                    f"its content is larger than {MAX_BYTES:,} bytes; shorten it",
                    f"内容超过 {MAX_BYTES:,} 字节，请精简",
                ),
            ),
        )
    digest = hashlib.sha256(content).hexdigest()
    return LoadedPack(f"{model.id}@{model.version}#{digest}", digest, canonical, model, document.text)


class Entry(Protocol):
    """A post or body of a directory."""

    @property
    def code(self) -> str:
        """Its own code."""
        ...

    @property
    def serves(self) -> tuple[str, ...]:
        """The addressees for which it answers."""
        ...


def unanswered(pack: PolicyPack, directory: Iterable[Entry]) -> Iterator[Said]:
    """A sentence for each place where the pack names a post or body that no entry of the directory answers for."""
    known = {code for entry in directory for code in (entry.code, *entry.serves)}
    for place, rule in rules(pack):
        if isinstance(rule, ClockRule):
            # Its `to` names acts.
            continue
        for field in ("to", "who", "approved_by"):
            named = getattr(rule, field, None) or ()
            for code in (named,) if isinstance(named, str) else named:
                if code not in known:
                    yield Said(
                        f"{place}.{field}: no post or body of the directory is {code!r} or serves it, "
                        "so nobody could act",
                        f"{place}.{field}：岗位名录里没有“{code}”，也没有岗位承担它，没有人能办",
                    )
