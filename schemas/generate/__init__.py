"""What is generated from the vocabulary and checked in: `python -m schemas.generate`, with `--check` to compare.

`json/` has the JSON Schema (2020-12) of each event's data, of the envelope and of the policy pack; `examples/` whole
events as the exact bytes that stand on a topic; `asyncapi.yaml` the topics; `openapi/` the services' HTTP; and
`deploy/kafka/acls.sh` the rights on the topics; `docs/settings.md` has the settings.
These files are made anew each time. Two folders only grow. `golden/`
has bytes of each released type. Every later version must read them, and `SHA256SUMS` pins them. `released/` has the
schema of each released type, with the optional fields that it gained.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from schemas import (  # noqa: F401  they register events
    audit,
    channels,
    checkpoints,
    drills,
    escalation,
    findings,
    handing,
    ingest,
    inspections,
    messages,
    offices,
    operation,
    outages,
    press,
    publish,
    referrals,
    review,
    triage,
    words,
)
from schemas.generate import acls, asyncapi, openapi, samples, settings, shapes
from schemas.generate.shapes import event_types, name_of
from schemas.pack import PolicyPack
from schemas.wire import Envelope

HERE = Path(__file__).parents[1]
FOLDERS = ("json", "examples", "openapi")
"""These folders hold nothing else."""


def made() -> Iterator[tuple[str, bytes]]:
    """Path below `schemas/` and content of every file that is made anew each time."""
    for type_, model in event_types().items():
        name = name_of(type_)
        yield f"json/{name}.json", _json(shapes.of_event(type_, model))
        complete, required = (samples.event(type_, model, complete=complete) for complete in (True, False))
        yield f"examples/{name}.complete.json", complete
        if json.loads(complete)["data"] != json.loads(required)["data"]:
            yield f"examples/{name}.only_required.json", required
    yield "json/envelope.json", _json(shapes.of_bytes(Envelope, "urn:huiying:envelope"))
    yield "json/policy-pack.json", _json(shapes.of_input(PolicyPack, "urn:huiying:policy-pack"))
    services = openapi.services()
    topics = asyncapi.document(services)
    yield "../deploy/kafka/acls.sh", acls.script(services)
    yield "../docs/settings.md", settings.document()
    yield "asyncapi.yaml", yaml.safe_dump(topics, sort_keys=False, allow_unicode=True, width=120).encode()
    for service, one in services.items():
        yield f"openapi/{service}.json", _json(openapi.document(one))


def differences() -> list[str]:
    """The changes and refusals of a `write`, as sentences."""
    wanted = dict(made())
    found = [f"{path} is out of date" for path, content in wanted.items() if _bytes(path) != content]
    found += [f"{path} belongs to nothing" for path in _strays(wanted)]
    for type_, model in event_types().items():
        name, shape = name_of(type_), shapes.of_event(type_, model)
        if not (HERE / f"golden/{name}.json").exists():
            found.append(f"golden/{name}.json is missing")
        if _bytes(f"released/{name}.json") != _json(shape):
            found += _broken(name, shape) or [f"released/{name}.json is out of date"]
    return found


def write() -> list[str]:
    """Writes all files. Returns the refusals: changes of a released type that need a new version."""
    wanted = dict(made())
    for path in _strays(wanted):
        (HERE / path).unlink()
    for path, content in wanted.items():
        _write(path, content)
    pinned, refused = sums(), []
    for type_, model in event_types().items():
        name, shape = name_of(type_), shapes.of_event(type_, model)
        if not (HERE / f"golden/{name}.json").exists():
            golden = wanted[f"examples/{name}.complete.json"]
            _write(f"golden/{name}.json", golden)
            pinned.setdefault(f"{name}.json", hashlib.sha256(golden).hexdigest())
        if broken := _broken(name, shape):
            refused += broken
        else:
            _write(f"released/{name}.json", _json(shape))
    _write("golden/SHA256SUMS", "".join(f"{sha}  {name}\n" for name, sha in sorted(pinned.items())).encode())
    return refused


def sums() -> dict[str, str]:
    """Golden file -> its pinned SHA-256."""
    lines = (_bytes("golden/SHA256SUMS") or b"").decode()
    return {name: sha for sha, name in re.findall(r"^([0-9a-f]{64})  (\S+)$", lines, re.MULTILINE)}


def _broken(name: str, shape: dict[str, Any]) -> list[str]:
    released = _bytes(f"released/{name}.json")
    return shapes.breaks(json.loads(released), shape, name) if released else []


def _strays(wanted: Iterable[str]) -> list[str]:
    there = (str(path.relative_to(HERE)) for folder in FOLDERS for path in (HERE / folder).glob("*"))
    return sorted(set(there).difference(wanted))


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()


def _bytes(path: str) -> bytes | None:
    return (HERE / path).read_bytes() if (HERE / path).exists() else None


def _write(path: str, content: bytes) -> None:
    (HERE / path).parent.mkdir(parents=True, exist_ok=True)
    (HERE / path).write_bytes(content)
