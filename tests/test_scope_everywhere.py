"""The same line in everything else that has a name or says something: operations, topics, tables, settings, commands of
the command line, pages, labels, mappings, and the lists of words.
"""

import io
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer.main
import yaml
from babel.messages import pofile

from schemas import catalogue
from schemas.fields import CODE
from schemas.titles import TITLES
from services.apps import cli, serve
from services.console.store import METADATA as OF_CONSOLE
from services.ingest.mail.mailboxes import Imap, Mailbox, Smtp
from services.kernel.serving.validation import AUTHOR_FIELDS
from services.kernel.settings import Settings
from tests.test_scope import ALLOWED, COMMANDS, DECLINED, parts, subschemas

ROOT = Path(__file__).parents[1]


class Named(NamedTuple):
    """A name, and what it is the name of."""

    kind: str
    of: str
    name: str


class Said(NamedTuple):
    """A text for people, and where it stands."""

    where: str
    text: str


READ_OTHERWISE = {
    "account": "what an office accounts for, or who signs in to the console",
    "author": "a refusal of authors; the author of a feed is the office",
    "contact": "the office's own contact, and what it told a medium that asked",
    "control": "characters that no text may hold",
    "name": "a name of an office, a team of it, a file, a column or a code",
    "damage": "damage to roads",
    "score": "how alike two matters are",
    "spread": "in which places a matter was reported",
    "track": "the problem's track or the answer's",
    "user": "the name of a service on the brokers, or of an office's mailbox on its server",
}
"""Words that are declined or name an author elsewhere, with what they mean in names."""
AT = {
    "account": re.compile(r"problem:.*account|account-owed|Account|account"),
    "author": re.compile(r"author-not-taken|^FeedAuthor$|^author$"),
    "contact": re.compile(r"^/publish/v1/press/|^logContact$|^(Log)?Contact$|^site_contact$|^log-contact$"),
    "control": re.compile(r"problem:control-character$"),
    "name": re.compile(
        r"name-(team|officer|site|substitute)|^name(Team|Officer|Site|Substitute)$|name}?$|^Name[A-Z]|named|names|^oidc_name_claim$"
    ),
    "damage": re.compile(r"^roads\.damage$"),
    "score": re.compile(r"^score$"),
    "spread": re.compile(r"^Spread$"),
    "track": re.compile(r"^track$"),
    "user": re.compile(r"^(kafka_)?user$"),
}
"""Where alone they may stand."""
WORDS = re.findall(
    r"\w+",
    """
    网评 评论员 删帖 删除帖 屏蔽 封堵 封号 禁言 敏感 黑名单 情绪 监控 监看 监测 关键词 稳控 缠访 闹访 重点人
    水军 控评 实名 发帖人 网民 跟帖 顶帖 炒作 造谣 谣言 负面 正面 宣传 舆情 舆论 引导 思想 意见领袖 截访 举报人
    粉丝 传播力 画像 追踪 溯源 落地查人
    """,
)
"""Words of what is declined, as offices say it."""
SAID_OTHERWISE = {
    ("情绪", "不说反映的人、他们的习惯和情绪"),
    ("宣传", "宣传部"),
}
"""The sentences that say what is not done, and names of offices."""
CODES = {
    "addressee": "the pack",
    "answer_kind": "the pack",
    "category": "the deployment's list, policies/categories.yaml",
    "channel": "the deployment's list, policies/channels.yaml",
    "clock": "the pack",
    "duration": "the pack",
    "facts": "the facts of the matter",
    "flag": "the pack",
    "ground": "the pack",
    "hop": "the pack",
    "items": "the pack",
    "key": "the deployment's list, policies/facts.yaml, and the pack",
    "level": "the pack",
    "milestone": "the rules of the record",
    "name": "an administrator's name of an office or of the pages, which is published",
    "pack": "the packs that are loaded",
    "part": "the parts of an analysis",
    "parts": "the parts of an archive",
    "period": "the pack",
    "place": "a place in a pack that takes a value",
    "plan": "the pack",
    "reason": "the pack",
    "rule": "the rules of findings",
    "source": "the key of the integration that used it first",
    "title": "an administrator's title of a post, which is published",
    "type": "the types of events",
    "types": "the types of events",
    "value": "the values of a pack's place",
    "version": "the version of a pack",
    "who": "the pack",
}
"""Field of a request with a code -> what knows the codes. No code is made up by whoever sends one."""


def of_documents() -> Iterator[Named]:
    """Paths, operations, parameters, models with their fields and values, of all five APIs."""
    for file in sorted((ROOT / "schemas/openapi").glob("*.json")):
        document = json.loads(file.read_text())
        for path, operations in document["paths"].items():
            yield Named("path", file.stem, path)
            for one in (one for one in operations.values() if isinstance(one, dict)):
                yield Named("operation", file.stem, one["operationId"])
                yield from (
                    Named("parameter", path, each["name"]) for each in one.get("parameters", ()) if "name" in each
                )
        for name, schema in document["components"]["schemas"].items():
            yield Named("model", file.stem, name)
            for inner in subschemas(schema):
                yield from (Named("field", name, each) for each in inner.get("properties", ()))
                yield from (Named("value", name, str(each)) for each in inner.get("enum", ()))


def of_stores() -> Iterator[Named]:
    """Topics, and tables with their columns."""
    for service in catalogue.SERVICES:
        yield from (Named("topic", service, topic) for topic in catalogue.event_topics(service))
    for metadata in (*(serve.load(service).metadata for service in catalogue.SERVICES), OF_CONSOLE):
        for table in metadata.tables.values():
            yield Named("table", "", table.name)
            yield from (Named("column", table.name, column.name) for column in table.columns)


def of_programs() -> Iterator[Named]:
    """Settings, fields of the file of mailboxes, and the command line with its options."""
    yield from (Named("setting", "", name) for name in Settings.model_fields)
    for model in (Mailbox, Imap, Smtp):
        yield from (Named("mailbox", model.__name__, name) for name in model.model_fields)
    waiting: list[Any] = [typer.main.get_command(cli.app)]
    while waiting:
        one = waiting.pop()
        yield Named("command", "", one.name or "")
        yield from (Named("option", one.name or "", name) for each in one.params for name in (each.name, *each.opts))
        waiting += getattr(one, "commands", {}).values()


def of_pages() -> Iterator[Named]:
    """Pages with the fields of their forms, and every code that has a title."""
    for file in sorted((ROOT / "services").rglob("templates/*.html")):
        yield Named("page", "", file.stem)
        yield from (Named("form", file.stem, name) for name in re.findall(r'name="([a-z_.]+)"', file.read_text()))
    yield from (Named("code", "titles", code) for code in TITLES)


def of_lists() -> Iterator[Named]:
    """Keys and codes of what the deployment ships as lists: categories, facts, channels, mappings of files."""
    for file in (*(ROOT / "policies" / f"{name}.yaml" for name in ("categories", "facts", "channels")), *mappings()):
        written = strings(yaml.safe_load(file.read_text()))
        yield from (Named("list", file.stem, text) for text in written if re.fullmatch(r"[a-z0-9_.-]+", text))


def mappings() -> list[Path]:
    """The mappings of files that are shipped."""
    return sorted((ROOT / "services/ingest/imports/mappings").glob("*.yaml"))


def strings(value: Any) -> Iterator[str]:
    """Keys and texts of a document, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


def texts() -> Iterator[Said]:
    """What pages, labels and lists say. Quotations and titles in packs are those of their sources."""
    for file in sorted((ROOT / "services").rglob("*.po")):
        for message in pofile.read_po(io.BytesIO(file.read_bytes())):
            for text in (message.id,) if isinstance(message.id, str) else message.id:
                yield Said(file.name, text)
    for file in sorted((ROOT / "services").rglob("templates/*")):
        yield from (Said(file.name, line) for line in file.read_text().splitlines())
    yield from (Said(f"title of {code}", str(title)) for code, title in TITLES.items())
    for name in ("categories", "facts", "channels", "units"):
        file = ROOT / "policies" / f"{name}.yaml"
        yield from (Said(file.name, text) for text in strings(yaml.safe_load(file.read_text())))
    for file in mappings():
        yield from (Said(file.name, text) for text in strings(yaml.safe_load(file.read_text())))


@cache
def everything() -> tuple[Named, ...]:
    """All names."""
    return tuple({*of_documents(), *of_stores(), *of_programs(), *of_pages(), *of_lists()})


def crossing(names: Iterable[Named]) -> list[Named]:
    """Names that serve what is declined, or could name who wrote."""
    found = {
        one
        for one in names
        for word in parts(one.name) & (DECLINED | AUTHOR_FIELDS)
        if (one.of, one.name) not in ALLOWED and not (word in AT and AT[word].search(one.name))
    }
    return sorted(found)


def labels(said: Iterable[Said]) -> list[tuple[str, Said]]:
    """Texts that speak of what is declined."""
    return [
        (word, one)
        for one in said
        for word in WORDS
        if word in one.text and not any(word == each and text in one.text for each, text in SAID_OTHERWISE)
    ]


def codes() -> set[str]:
    """The fields of requests that take a code."""
    return {
        name
        for model in COMMANDS.values()
        for schema in subschemas(model.model_json_schema(mode="validation"))
        for name, field in schema.get("properties", {}).items()
        if any(inner.get("pattern") == CODE for inner in subschemas(field))
    }


@pytest.mark.requirement("ING-02", "ING-11")
def test_nothing_with_a_name_crosses_the_line() -> None:
    assert crossing(everything()) == []
    kinds = {one.kind for one in everything()}
    assert kinds >= {"path", "operation", "parameter", "field", "value", "topic", "table", "column", "setting"}
    assert kinds >= {"command", "option", "page", "form", "code", "list"}
    assert len(everything()) > 5_000


def test_nothing_that_people_read_crosses_the_line() -> None:
    said = list(texts())
    assert labels(said) == []
    assert len(said) > 3_000


def test_every_code_comes_from_a_list_or_belongs_to_its_key() -> None:
    assert codes() == CODES.keys(), "say which list knows the code"


def test_what_is_allowed_is_there_and_has_its_reason() -> None:
    used = {word for one in everything() for word in parts(one.name) & READ_OTHERWISE.keys()}
    assert AT.keys() == READ_OTHERWISE.keys() == used
    said = "".join(one.text for one in texts())
    assert [text for _, text in SAID_OTHERWISE if text not in said] == []


@pytest.mark.parametrize(
    "declined",
    [
        Named("path", "publish", "/publish/v1/posts/{id}/takedown"),
        Named("operation", "triage", "watchAuthor"),
        Named("parameter", "/audit/v1/matters", "sentiment"),
        Named("field", "Report", "poster_id"),
        Named("value", "ReportKind", "rumour"),
        Named("topic", "ingest", "ingest.crawl"),
        Named("column", "reports", "nickname"),
        Named("table", "", "media_blacklist"),
        Named("setting", "", "monitor_keywords"),
        Named("command", "", "crawl"),
        Named("option", "import", "--real-name"),
        Named("form", "report_new", "phone"),
        Named("page", "", "watchlist"),
        Named("code", "titles", "punish"),
        Named("list", "categories", "negative"),
        Named("list", "hotline", "followers"),
        Named("field", "Matter", "device_id"),
        Named("field", "Finding", "mood"),
    ],
)
def test_the_walk_sees_each_of_what_is_declined(declined: Named) -> None:
    assert crossing([declined]) == [declined]


@pytest.mark.parametrize(
    "text", ["舆论引导", "重点人员台账", "删帖申请", "情绪走势", "敏感词", "媒体黑名单", "发帖人追踪"]
)
def test_the_reader_sees_each_of_what_is_declined(text: str) -> None:
    assert labels([Said("a page", text)])
