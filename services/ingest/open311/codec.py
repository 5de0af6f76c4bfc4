"""The forms of Open311 GeoReport v2, read and written. Pure.

XML has a declaration, no namespace and no attributes. JSON is the same by the Spark convention: a list drops its
wrapper, the root falls away, and an empty element is null. Times are UTC, to the second.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple
from xml.etree import ElementTree as ET

import orjson
from pydantic import ValidationError

from schemas.fields import WrittenInstant, instant
from schemas.titles import Language
from services.ingest.commands import Report
from services.kernel.core.commands import Command
from services.kernel.core.lists import Lists
from services.kernel.core.problems import Malformed, NotFound, Problem
from services.kernel.serving.validation import malformed

Format = Literal["xml", "json"]
SPECIFICATION = "http://wiki.open311.org/GeoReport_v2"
MEDIA_TYPES: Mapping[Format, str] = {"xml": "text/xml; charset=utf-8", "json": "application/json; charset=utf-8"}
PERSONAL = (
    "account_id",
    "device_id",
    "email",
    "email_alerts_requested",
    "first_name",
    "last_name",
    "name",
    "phone",
    "public_anonymity_required",
)
"""Arguments of the standard and of mySociety's extension about a person or a device."""
CREATES = (
    "address_id",
    "address_string",
    "api_key",
    "description",
    "jurisdiction_id",
    "lat",
    "long",
    "media_url",
    "service_code",
)
UPDATES = (
    "api_key",
    "description",
    "jurisdiction_id",
    "media_url",
    "service_code",
    "service_request_id",
    "service_request_id_ext",
    "status",
    "title",
    "update_id",
    "update_id_ext",
    "updated_datetime",
)
LONGEST = 4000
"""Characters of a description."""
SPAN = timedelta(days=90)
MOST = 1000
"""Entries of one answer."""
CHANNEL = "system"
"""The channel of a report whose sender names none."""
PLACES = 4
"""Decimals of a place in degrees, about ten metres."""
_ATTRIBUTE = re.compile(r"attribute\[([^\[\]]{1,100})\](?:\[\])?")
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STATUSES = ("open", "closed")


class Many(NamedTuple):
    """A list whose entries are elements of this name."""

    item: str
    entries: Sequence[Any]


class Attribute(NamedTuple):
    """A further field of a report, as a service definition describes it."""

    code: str
    datatype: Literal["string", "text", "datetime", "singlevaluelist"]
    zh: str
    en: str


ATTRIBUTES = (
    Attribute("subject", "string", "事项，一句话", "The matter, in one line"),
    Attribute("request", "text", "诉求", "What is asked for"),
    Attribute("discovered_at", "datetime", "单位最初得知的时间", "When the office first knew"),
    Attribute("channel", "singlevaluelist", "来源渠道", "The channel by which it came"),
    Attribute("url", "string", "所反映的网页地址", "The web page that it is about"),
    Attribute("source", "string", "报送系统的代码", "The code of the sending system"),
    Attribute("external_id", "string", "报送系统的编号", "The sending system's number"),
    Attribute("reply_ref", "string", "报送系统用来返回答复的标识", "The sending system's handle for the answer"),
)
"""None is required. A report may also come without any."""


def written(root: str, value: Any, form: Format) -> bytes:
    """A document with this root: of an object, or of `Many`."""
    if form == "json":
        return orjson.dumps(_plain(value))
    element = ET.Element(root)
    _fill(element, value)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(element, encoding="unicode").encode()


def _plain(value: Any) -> Any:
    match value:
        case Many():
            return [_plain(one) for one in value.entries]
        case dict():
            return {name: _plain(one) for name, one in value.items()}
    return value


def _fill(element: ET.Element, value: Any) -> None:
    match value:
        case Many():
            for one in value.entries:
                _fill(ET.SubElement(element, value.item), one)
        case dict():
            for name, one in value.items():
                _fill(ET.SubElement(element, name), one)
        case bool():
            element.text = "true" if value else "false"
        case None:
            pass
        case _:
            element.text = _UNWRITABLE.sub("\ufffd", str(value))


def format_of(path: str) -> Format:
    """The format of an answer by its path: XML, unless it ends with `.json`."""
    return "json" if path.endswith(".json") else "xml"


STATUSES: Mapping[int, int] = {401: 403, 403: 403, 404: 404, 405: 405, 429: 429, 500: 500, 503: 503}
"""The status of a problem here. The standard has 403 and 404, and 400 for all else. A client that must wait or ask an
operator still sees so."""


def errors(problem: Problem, language: Language, form: Format) -> tuple[int, bytes]:
    """The status and the document of a refusal, with the sentence of the problem."""
    status = STATUSES.get(problem.status, 400)
    told = {"code": status, "description": problem.body(language)["detail"]}
    return status, written("errors", Many("error", [told]), form)


def second(text: str) -> str:
    """An instant to the second: `2026-03-02T01:00:00Z`. `text` is UTC with microseconds."""
    return f"{text[:19]}Z"


def discovery(base: str, changeset: str, contact: str, keys: str) -> dict[str, Any]:
    """Where the service is. `base` is the address of the endpoint."""
    endpoint = {
        "specification": SPECIFICATION,
        "url": base,
        "changeset": changeset,
        "type": "production",
        "formats": Many("format", [media.partition(";")[0] for media in MEDIA_TYPES.values()]),
    }
    return {"changeset": changeset, "contact": contact, "key_service": keys, "endpoints": Many("endpoint", [endpoint])}


def services(lists: Lists, language: Language) -> Many:
    """The categories of the deployment, as services. All answer at once."""
    return Many("service", [_service(lists, code, language) for code in lists.categories])


def _service(lists: Lists, code: str, language: Language) -> dict[str, Any]:
    one = lists.categories[code]
    group = lists.categories[one.parent or one.code]
    other: Language = "en" if language == "zh" else "zh"
    return {
        "service_code": code,
        "service_name": titled(one, language),
        "description": titled(one, other),
        "metadata": True,
        "type": "realtime",
        "keywords": ", ".join(dict.fromkeys([titled(one, language), titled(one, other)])),
        "group": titled(group, language),
    }


def titled(entry: Any, language: Language) -> str:
    """The title of an entry of a list."""
    title: str = entry.title if language == "zh" else entry.title_en
    return title


def service_name(lists: Lists, code: str | None, language: Language) -> str | None:
    """The name of a service; None if the report has none, or the list has it no more."""
    found = lists.categories.get(code or "")
    return titled(found, language) if found else None


def definition(lists: Lists, code: str, language: Language) -> dict[str, Any]:
    """The further fields of a report, the same for all services. Raises `NotFound` for an unknown service."""
    known(lists, code)
    return {"service_code": code, "attributes": Many("attribute", [_described(*at, lists, language) for at in _ORDER])}


_ORDER = tuple(enumerate(ATTRIBUTES, 1))


def _described(order: int, one: Attribute, lists: Lists, language: Language) -> dict[str, Any]:
    values = [{"key": code, "name": titled(entry, language)} for code, entry in lists.channels.items()]
    listed = {"values": Many("value", values)} if one.datatype == "singlevaluelist" else {}
    return {
        "variable": True,
        "code": one.code,
        "datatype": one.datatype,
        "required": False,
        "datatype_description": None,
        "order": order,
        "description": one.zh if language == "zh" else one.en,
        **listed,
    }


def known(lists: Lists, code: str) -> None:
    """Raises `NotFound` if there is no service of this code."""
    if code not in lists.categories:
        raise NotFound(f"there is no service {code[:100]!r}; services.xml lists all", what=code[:100])


class Form(NamedTuple):
    """The arguments of a POST: those with a value, the attributes by code, and the dropped arguments of persons."""

    given: Mapping[str, str]
    attributes: Mapping[str, str]
    dropped: tuple[str, ...]


def form(pairs: Iterable[tuple[str, str]], names: Sequence[str]) -> Form:
    """The arguments of a POST. An empty one counts as absent. Raises `Malformed` for an unknown or a doubled one."""
    given, attributes, dropped = dict[str, str](), dict[str, str](), set[str]()
    codes = [one.code for one in ATTRIBUTES]
    for name, value in pairs:
        if not value.strip():
            continue
        if name in PERSONAL:
            dropped.add(name)
            continue
        found = _ATTRIBUTE.fullmatch(name)
        into, key, listed = (attributes, found[1], codes) if found else (given, name, list(names))
        if key not in listed or (found and names is not CREATES):
            raise Malformed(
                f"{name[:60]} is no parameter; there are {', '.join(listed)}",
                code="parameter-unknown",
                field=name[:60],
                known=listed,
            )
        if key in into:
            raise Malformed(
                f"the parameter {name[:60]} stands twice; send it once", code="parameter-twice", field=name[:60]
            )
        into[key] = value
    return Form(given, attributes, tuple(sorted(dropped)))


def needed(given: Mapping[str, str], name: str) -> str:
    """The argument. Raises `Malformed` without it."""
    if name not in given:
        raise Malformed(f"{name} is missing", code="field-missing", field=name)
    return given[name]


def report(sent: Form, unit: str, integration: str, lists: Lists, now: datetime) -> Report:
    """The report that a request makes. `integration` is the id of the sender.

    Raises `Malformed`, and `NotFound` for an unknown service.
    """
    code = needed(sent.given, "service_code")
    known(lists, code)
    description = described(sent.given) or lists.categories[code].title
    place, notes = _place(sent.given)
    if media := sent.given.get("media_url"):
        notes.append(f"media_url: {media}")
    more: dict[str, Any] = dict(sent.attributes)
    if "external_id" in more:
        more.setdefault("source", source_of(integration))
    fields = {
        "channel": CHANNEL if CHANNEL in lists.channels else next(iter(lists.channels), ""),
        "subject": description.strip().partition("\n")[0][:500],
        "discovered_at": instant(now),
        **more,
        "unit": unit,
        "category": code,
        "text": "\n".join([description, *notes]),
        "place": place,
    }
    return validated(fields)


def validated(fields: Mapping[str, Any]) -> Report:
    """The command of these fields. Raises `Malformed`."""
    try:
        return Report.model_validate(fields)
    except ValidationError as error:
        raise malformed(error) from None


def described(given: Mapping[str, str]) -> str:
    """The description, empty without one. Raises `Malformed` for a longer one than the standard has."""
    text = given.get("description", "")
    if len(text) > LONGEST:
        raise Malformed(
            f"description has {len(text)} characters; at most {LONGEST} are allowed",
            code="text-too-long",
            field="description",
            maximum=LONGEST,
        )
    return text


def source_of(integration: str) -> str:
    """The code of a sending system that names none: letters made of its id, since digits could look like a number."""
    letters = str.maketrans("0123456789", "ghijklmnop")
    return f"open311-{integration.rpartition('-')[2][:12].translate(letters)}"


def _place(given: Mapping[str, str]) -> tuple[str, list[str]]:
    """The place in words, and what more is known of it.

    Reports of one place are counted together by its words. So an address comes first, and a place in degrees counts
    only without one, rounded to ten metres.
    """
    lat, long = degrees(given, "lat", 90), degrees(given, "long", 180)
    if (lat is None) != (long is None):
        missing = "lat" if lat is None else "long"
        raise Malformed(f"lat and long come together; {missing} is missing", code="field-missing", field=missing)
    spot = None if lat is None else f"{lat:.{PLACES}f}, {long:.{PLACES}f}"
    ways = [
        ("address_string", given.get("address_string")),
        ("address_id", given.get("address_id")),
        ("lat, long", spot),
    ]
    found = [(name, place) for name, place in ways if place]
    if not found:
        raise Malformed(
            "a place is missing: send lat and long, address_string or address_id",
            code="field-missing",
            field="address_string",
        )
    (_, place), *further = found
    return place, [f"{name}: {text}" for name, text in further]


def degrees(given: Mapping[str, str], name: str, most: int) -> float | None:
    """A latitude or longitude in degrees; None without one. Raises `Malformed`."""
    text = given.get(name)
    if text is None:
        return None
    if re.fullmatch(r"\s*[+-]?\d{1,3}(\.\d{1,20})?\s*", text, re.ASCII) is None or abs(float(text)) > most:
        raise Malformed(
            f"{name} takes degrees from -{most} to {most}, not {text[:40]!r}",
            code="degrees-malformed",
            field=name,
            most=most,
        )
    return float(text)


def notice(receipt: str | None, dropped: Sequence[str]) -> str:
    """What the answer to a POST says, in Chinese and English: the receipt, and what was not kept."""
    zh, en = [], []
    if receipt:
        zh.append(f"已收到，收据号 {receipt}，凭此查询进展。")
        en.append(f"Received. The receipt is {receipt}; it tells how far the matter is.")
    if dropped:
        names = ", ".join(dropped)
        zh.append(f"本系统不保存个人和设备信息，以下内容已丢弃：{names}。")
        en.append(f"Nothing about persons and devices is kept here; dropped: {names}.")
    return " ".join([*zh, *en])


def update(sent: Form) -> str:
    """The text of an update: its words, and the state in which the sender sees the report. Raises `Malformed`."""
    text = described(sent.given)
    if not text:
        needed(sent.given, "description")
    told = [f"{name}: {sent.given[name]}" for name in ("title", "status", "media_url") if name in sent.given]
    return "\n".join([text, *told])


class Wanted(NamedTuple):
    """What a list is asked for. Instants are UTC, as text, both included."""

    since: str
    until: str
    ids: tuple[str, ...] | None = None
    services: tuple[str, ...] | None = None
    statuses: frozenset[str] = frozenset(_STATUSES)


def wanted(asked: Mapping[str, Sequence[str]], now: datetime) -> Wanted:
    """The filter of a list. `service_request_id` overrides all others. Raises `Malformed`."""
    if ids := _split(asked, "service_request_id"):
        if len(ids) > MOST:
            raise Malformed(
                f"service_request_id takes at most {MOST} at once",
                code="list-too-long",
                field="service_request_id",
                maximum=MOST,
            )
        return Wanted("", "", ids)
    since, until = span(asked, now)
    statuses = _split(asked, "status")
    if unknown := [one for one in statuses or () if one.lower() not in _STATUSES]:
        raise Malformed(
            f"status: {unknown[0][:40]!r} is none; known are {', '.join(_STATUSES)}",
            code="not-listed",
            field="status",
            given=unknown[0][:40],
            known=list(_STATUSES),
        )
    chosen = frozenset(one.lower() for one in statuses or _STATUSES)
    return Wanted(since, until, None, _split(asked, "service_code"), chosen)


def _split(asked: Mapping[str, Sequence[str]], name: str) -> tuple[str, ...] | None:
    """The entries of a list with commas, also of several lists; None without any."""
    found = [part.strip() for text in asked.get(name, ()) for part in text.split(",")]
    return tuple(dict.fromkeys(part for part in found if part)) or None


class Range(Command):
    """The dates of a list."""

    start_date: WrittenInstant | None = None
    end_date: WrittenInstant | None = None


def span(asked: Mapping[str, Sequence[str]], now: datetime) -> tuple[str, str]:
    """From when until when: the last 90 days, or 90 days from the one that is given. Raises `Malformed`.

    The end counts to its last microsecond: answers show times to the second.
    """
    given = {name: text for name in Range.model_fields if (text := _moment(asked, name))}
    try:
        dates = Range.model_validate(given)
    except ValidationError as error:
        raise malformed(error) from None
    since, until = dates.start_date, dates.end_date
    try:
        if since is None:
            until = until or now
            since = until - SPAN
        until = until or since + SPAN
    except OverflowError:
        raise Malformed(
            "start_date or end_date is out of range", code="time-out-of-range", field="start_date"
        ) from None
    if until < since or until - since > SPAN:
        raise Malformed(
            f"end_date comes after start_date, by at most {SPAN.days} days",
            code="span-too-long",
            field="end_date",
            days=SPAN.days,
        )
    end = instant(until)
    return instant(since), f"{end[:19]}.999999Z" if until.microsecond == 0 else end


def _moment(asked: Mapping[str, Sequence[str]], name: str) -> str | None:
    """The first value. In a query, a plus that was not escaped arrives as a space."""
    given = [text.strip() for text in asked.get(name, ()) if text.strip()]
    return re.sub(r" (?=\d\d:?\d\d$)", "+", given[0]) if given else None
