"""CloudEvents 1.0 as reports. Pure.

An event of the type `huiying.report.v1` carries a report as its `data`. The attributes `source` and `id` are the
report's `source` and `external_id`, so a repeated event is a repeated report. Where the data have no `discovered_at`,
`time` stands for it. All other attributes are dropped, extensions too: they may name persons. Their names are told.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import unquote_to_bytes

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from schemas.fields import WrittenInstant
from services.ingest.commands import ExternalId, Report, Source
from services.kernel.core.problems import Malformed, NotJson, UnsupportedMedia
from services.kernel.core.texts import decoded
from services.kernel.serving.bodies import BOM, parse_json
from services.kernel.serving.validation import malformed

TYPE = "huiying.report.v1"
"""The one type of event that is taken."""
STRUCTURED, BATCHED = "application/cloudevents+json", "application/cloudevents-batch+json"
JSON = re.compile(r"(application|text)/json|[a-z]+/[a-z0-9.!#$&^_-]+\+json")
NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
CONTENT = frozenset({"data", "data_base64"})
READ = frozenset({"specversion", "type", "source", "id", "time", "datacontenttype", *CONTENT})
_SPACE = re.compile(r"[ \t\r\n]*")


def _code(source: object) -> object:
    """A URI reference as a code of a source. A code begins with a letter or a digit, so a path gets `uri:`."""
    return f"uri:{source}" if isinstance(source, str) and source.startswith("/") else source


class Context(BaseModel):
    """The attributes that count."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"]
    type: Literal["huiying.report.v1"]
    source: Annotated[Source, BeforeValidator(_code)]
    id: ExternalId
    time: WrittenInstant | None = None


class Content(BaseModel):
    """The data. Its faults are named as `data.…`, since `subject` is an attribute, too."""

    data: Report


class Taken(NamedTuple):
    """A report, and the names of the attributes that were dropped."""

    report: Report
    dropped: tuple[str, ...] = ()


def media_type(content_type: str) -> str:
    """The media type without its parameters. Raises `UnsupportedMedia` for JSON in another encoding than UTF-8."""
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charset = next((one.partition("=")[2].strip('" ') for one in parameters if one.startswith("charset=")), "utf-8")
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMedia(f"send JSON in UTF-8, not {charset[:40]}", known=["utf-8"], kind=charset[:40])
    return kind


def of_structured(text: bytes) -> Taken:
    """The report in an event that is one JSON object. Raises the `Problem` that refuses it."""
    event = parse_json(text)
    if not isinstance(event, dict):
        raise Malformed("body takes a JSON object", code="wrong-form", field="body", wanted="object")
    event = {name: value for name, value in event.items() if value is not None}
    if event.keys() >= CONTENT:
        raise Malformed("data and data_base64 stand in one event; send one of them", code="malformed", field="data")
    context = _context(event)
    _must_be_json(event.get("datacontenttype", "application/json"))
    return _taken(context, _data(event), event)


def of_binary(attributes: Mapping[str, str], content_type: str, body: bytes) -> Taken:
    """The report in an event whose attributes stand in headers; `attributes` are without the `ce-`. Raises so, too."""
    context = _context(attributes)
    _must_be_json(content_type or "application/json")
    return _taken(context, parse_json(body), attributes)


def of_message(headers: Sequence[tuple[str, bytes]], value: bytes) -> Taken:
    """The report in a record of Kafka, in either form. Raises the `Problem` that refuses it."""
    raw = [(name.encode(), content or b"") for name, content in headers]
    told = next((decoded(content or b"", name) for name, content in headers if name.lower() == "content-type"), "")
    attributes = attributes_of(raw, b"ce_")
    kind = media_type(told)
    if kind == STRUCTURED:
        return of_structured(value)
    if kind.startswith("application/cloudevents") or not attributes:
        raise UnsupportedMedia(
            f"send {STRUCTURED} or ce_ headers, not {kind[:100]}", known=[STRUCTURED], kind=kind[:100]
        )
    return of_binary(attributes, told, value)


def attributes_of(headers: Iterable[tuple[bytes, bytes]], prefix: bytes = b"ce-") -> dict[str, str]:
    """The attributes in headers, by their names without the prefix. Raises `Malformed`.

    Headers over HTTP are ASCII; other characters come as percent and the bytes of UTF-8.
    """
    found: dict[str, str] = {}
    for header, raw in headers:
        if header.lower().startswith(prefix):
            name = header.lower()[len(prefix) :].decode("latin-1")
            if name in found:
                raise Malformed(f"{name[:100]} stands twice in one object", code="field-twice", field=name[:100])
            found[name] = decoded(_unquoted(raw) if prefix == b"ce-" else raw, name)
    return found


def items(body: bytes) -> Iterator[bytes]:
    """The events of a batch as they are written, each to be read by itself. Raises `NotJson` and `Malformed`."""
    text = decoded(body.removeprefix(BOM), "body")
    try:
        yield from _items(text)
    except json.JSONDecodeError as error:
        raise NotJson(
            f"the body is not JSON in UTF-8: line {error.lineno}, column {error.colno} is wrong",
            line=error.lineno,
            column=error.colno,
        ) from None
    except RecursionError:
        raise Malformed("the JSON is nested more than 32 deep", code="nested-too-deep", limit=32) from None


def _items(text: str) -> Iterator[bytes]:
    read, at = json.JSONDecoder().raw_decode, _after_space(text, 0)
    if text[at : at + 1] != "[":
        if text[at : at + 1]:
            read(text, at)
            raise Malformed("body takes a JSON list", code="wrong-form", field="body", wanted="list")
        raise json.JSONDecodeError("nothing here", text, at)
    at = _after_space(text, at + 1)
    first = True
    while text[at : at + 1] != "]" or not first:
        _, end = read(text, at)
        yield text[at:end].encode()
        first, at = False, _after_space(text, end)
        if text[at : at + 1] == "]":
            break
        if text[at : at + 1] != ",":
            raise json.JSONDecodeError("a comma is missing", text, at)
        at = _after_space(text, at + 1)
    if (end := _after_space(text, at + 1)) != len(text):
        raise json.JSONDecodeError("more than a list", text, end)


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _unquoted(raw: bytes) -> bytes:
    if len(raw) > 1 and raw.startswith(b'"') and raw.endswith(b'"'):
        raw = re.sub(rb"\\(.)", rb"\1", raw[1:-1])
    return unquote_to_bytes(raw)


def _context(attributes: Mapping[str, Any]) -> Context:
    try:
        return Context.model_validate(attributes)
    except ValidationError as error:
        raise malformed(error) from None


def _must_be_json(told: object) -> None:
    if not isinstance(told, str):
        raise Malformed("datacontenttype takes a text", code="wrong-form", field="datacontenttype", wanted="text")
    if not JSON.fullmatch(kind := media_type(told)):
        raise UnsupportedMedia(
            f"the data of an event are JSON, not {kind[:100]}", known=["application/json"], kind=kind[:100]
        )


def _data(event: Mapping[str, Any]) -> Any:
    packed = event.get("data_base64")
    if packed is None:
        return event.get("data")
    try:
        return parse_json(base64.b64decode(packed, validate=True))
    except (binascii.Error, ValueError, TypeError):
        raise Malformed("data_base64 is no base64", code="malformed", field="data_base64") from None


def _taken(context: Context, data: Any, event: Mapping[str, Any]) -> Taken:
    if data is None:
        raise Malformed("data is missing", code="field-missing", field="data")
    if not isinstance(data, dict):
        raise Malformed("data takes a JSON object", code="wrong-form", field="data", wanted="object")
    for name, attribute in (("source", "source"), ("external_id", "id")):
        if name in data:
            raise Malformed(
                f"data.{name} is not a field here; the event says it as its {attribute}",
                code="field-unknown",
                field=f"data.{name}",
            )
    if "discovered_at" not in data:
        if context.time is None:
            raise Malformed("time is missing", code="field-missing", field="time")
        data = {**data, "discovered_at": event["time"]}
    try:
        report = Content.model_validate({"data": {**data, "source": context.source, "external_id": context.id}}).data
    except ValidationError as error:
        raise malformed(error) from None
    return Taken(report, tuple(sorted(name for name in event if name not in READ and NAME.fullmatch(name))))
