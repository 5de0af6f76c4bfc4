"""An example matter in a town. Every event type gets its example from it, the same each time."""

import hashlib
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from schemas import catalogue, envelope, fields
from schemas.fields import WIRE, Fact
from schemas.generate.shapes import name_of, of_event

AT = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)
HOURS_LATER = {"due": 24, "until": 24, "detected_at": 25}
PUBLISHED = "供水已于3月2日18时恢复。"
RULES = '{"documents":{},"effective_from":"2026-01-01","id":"county-default","timezone":"Asia/Shanghai","title":"示例"}'


def _uuid(*parts: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(("urn:huiying:example", *parts))))


def _digest(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()


def _stream(kind: str, name: str = "") -> str:
    """A stream of the matter. Its clock has the UUID of the incident; `name` distinguishes other streams of a kind."""
    return f"{kind}-{_uuid('incident' if kind == 'clock' else kind, name)}"


def _named_stream(name: str) -> str:
    kind = next((kind for kind in catalogue.STREAMS if name in (kind, f"{kind}s")), None)
    return _stream(kind) if kind else _stream("incident", name)


def _unit(name: str) -> str:
    return "county" if name in ("parent", "previous", "to", "told") else "town-east"


def _code(name: str) -> str:
    return CODES.get(name, "water-supply")


POLICY = f"county-default@1#{_digest('pack')}"
CODES = {
    "answer_kind": "answer",
    "channel": "board",
    "clock": "first_answer",
    "error": "no-connection",
    "flag": "public",
    "level": "major",
    "milestone": "graded",
    "name": "东镇",
    "pack": "county-default",
    "post": "duty_officer@town-east",
    "posts": "duty_officer@town-east",
    "previous": "general",
    "proposed": "major",
    "roles": "handler",
    "rule": "major/clicks",
    "source": "mayor-board",
    "step": "leader",
    "steps": "leader",
    "to": "duty_officer@county",
    "topic": "ingest.report",
    "version": "1",
    "way": "mail",
}
KINDS: tuple[tuple[Any, Callable[[str], str]], ...] = (
    (fields.Code, _code),
    (fields.UnitCode, _unit),
    (fields.PostCode, lambda name: "duty_officer"),
    (fields.Post, lambda name: "duty_officer@county"),
    (fields.StreamId, _named_stream),
    (fields.Number, lambda name: "town-east-2026-00042"),
    (fields.Uuid, _uuid),
    (fields.Digest, _digest),
    (fields.SignatureHex, lambda name: _digest(name) * 2),
    (fields.LogName, lambda name: "county.example/audit/v1/log"),
    (fields.PeerName, lambda name: "city-platform"),
    (fields.Proven, lambda name: "eyJzcGVjdmVyc2lvbiI6IjEuMCJ9"),
    (fields.SaltHex, lambda name: _digest(name)[:32]),
    (fields.PolicyRef, lambda name: POLICY),
    (fields.Token, lambda name: "q7Jm2xVt0aYkRzB4"),
    (fields.MediaType, lambda name: "image/jpeg"),
    (fields.Day, lambda name: "2026-07-31" if name == "until" else "2026-07-01"),
    (fields.TimeOfDay, lambda name: "17:30" if name == "to" else "08:30"),
)
BY_PATTERN = {TypeAdapter(kind).json_schema()["pattern"]: text for kind, text in KINDS}


def event(type_: str, model: type[Fact], *, complete: bool) -> bytes:
    """A whole sealed event of the type: with every field and attribute, or only with the required ones."""
    shape = of_event(type_, model)
    data = model.model_validate(_value(shape, shape.get("$defs", {}), type_, complete), context=WIRE)
    kind = name_of(type_).partition(".")[0]
    incident = _stream("incident") if kind in catalogue.FOLLOWS_INCIDENT else None
    optional: dict[str, Any] = {
        "previous": _digest(type_),
        "correlation": _stream("incident"),
        "causation": _uuid("cause"),
        "unit": "town-east",
        "policy": POLICY,
        "basis": f"{_stream('unit')}@4,{_stream('policy')}@2",
        "drill": True,
    }
    return envelope.seal(
        data,
        id=_uuid(type_, "complete" if complete else "only_required"),
        source=f"/huiying/example/{catalogue.owner(kind, 'ingest')}",
        stream=_stream(kind),
        version=2 if complete else 1,
        time=AT,
        recorded=AT + timedelta(minutes=5),
        partitionkey=incident or _stream(kind),
        actor="duty_officer@town-east" if complete else "system",
        **(optional if complete else {"previous": None, "correlation": incident}),
    ).bytes


def _value(part: Mapping[str, Any], defs: Mapping[str, Any], name: str, complete: bool) -> Any:
    """A value that this part of a JSON Schema allows; `name` is the field's name."""
    match part:
        case {"$ref": ref}:
            inner = defs[str(ref).rpartition("/")[2]]
            if inner["title"] == "WordsRef":
                return {"ref": _uuid("words", name), "digest": _digest("words", name)}
            return _value(inner, defs, name, complete)
        case {"const": value} | {"enum": [value, *_]}:
            return value
        case {"format": "date-time"}:
            return fields.instant(AT + timedelta(hours=HOURS_LATER.get(name, 0)))
        case {"pattern": pattern}:
            return BY_PATTERN[pattern](name)
        case {"x-published": True}:
            return RULES if name == "canonical" else PUBLISHED
        case {"type": "boolean"}:
            return True
        case {"type": "integer"}:
            return 2
        case {"type": "number"}:
            return 12.5
        case {"type": "array", "items": items}:
            return [_value(items, defs, name, complete)]
        case {"patternProperties": inner}:
            return {"mobile": _value(next(iter(inner.values())), defs, name, complete)}
        case {"properties": inner}:
            wanted = inner if complete else part.get("required", ())
            return {field: _value(inner[field], defs, field, complete) for field in wanted}
    raise ValueError(f"{name}: no sample for {part}")
