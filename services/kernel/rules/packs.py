"""Policy packs from files, checked at loading.

The name of a pack is `id@version#digest`. The digest is SHA-256 over the canonical content: JSON with sorted keys, and
each scalar as the text in the file. So comments and layout do not change the digest, and any value does.
"""

import functools
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from schemas.pack import PolicyPack
from schemas.pack.approval import Chain
from schemas.pack.clocks import ClockRule
from schemas.pack.reports import ReportRule
from services.kernel.core.units import LoadedPack
from services.kernel.rules.conditions import checked, compiled
from services.kernel.rules.documents import Document, DocumentError, Fault, read, read_file

NO_PACKS = frozenset({"units.yaml", "categories.yaml", "facts.yaml", "channels.yaml", "sites.yaml", "telephones.yaml"})


def load_packs(directory: Path) -> dict[str, LoadedPack]:
    """All packs of a folder by `ref`: every `*.yaml` except the files in `NO_PACKS`.

    Raises `DocumentError`, also for two files with the same id and version.
    """
    if not (paths := sorted(path for path in directory.glob("*.yaml") if path.name not in NO_PACKS)):
        raise DocumentError(str(directory), Fault(0, "", "no policy pack (*.yaml) here; name the folder that has them"))
    packs: dict[str, LoadedPack] = {}
    names: dict[str, Path] = {}
    for path in paths:
        pack = load_pack(path)
        name = pack.ref.partition("#")[0]
        if name in names:
            clash = f"{names[name]} is {name} too; raise the version of one"
            raise DocumentError(str(path), Fault(0, "version", clash))
        names[name], packs[pack.ref] = path, pack
    return packs


def load_pack(path: Path) -> LoadedPack:
    """The pack of a file. Raises `DocumentError` with all faults, or `OSError`."""
    return _pack(read_file(path))


@functools.lru_cache(maxsize=64)
def parse_pack(text: str, origin: str = "<text>") -> LoadedPack:
    """The pack of a text: YAML, or a pack's `canonical`. `origin` is the file's name in a `DocumentError`."""
    return _pack(read(text, origin))


def _pack(document: Document) -> LoadedPack:
    model, faults = document.model(PolicyPack), []
    flags = tuple(flag.code for flag in model.flags)
    for index, level in enumerate(model.levels):
        for number, condition in enumerate(level.conditions):
            try:
                compiled(condition.when, flags)
            except ValueError as error:
                faults.append(document.fault(("levels", index, "conditions", number, "when"), str(error)))
    for place, when in _conditions(model):
        try:
            checked(when)
        except ValueError as error:
            faults.append(document.fault((*place, "when"), str(error)))
    if faults:
        raise DocumentError(document.origin, *sorted(faults))
    canonical = json.dumps(document.content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return LoadedPack(f"{model.id}@{model.version}#{digest}", digest, canonical, model)


def _conditions(model: PolicyPack) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The conditions outside the levels, each with its place."""
    parts: dict[tuple[str, ...], Sequence[ClockRule | ReportRule | Chain]] = {
        ("clocks",): model.clocks,
        ("reports",): model.reports,
        ("approval", "chains"): model.approval.chains if model.approval else (),
    }
    for place, rules in parts.items():
        for index, rule in enumerate(rules):
            if rule.when is not None:
                yield (*place, index), rule.when
