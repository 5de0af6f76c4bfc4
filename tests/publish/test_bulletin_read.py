"""What programs make of the bulletin: feed readers, the schema of JSON Feed, and the data that search engines read."""

from io import BytesIO
from pathlib import Path
from typing import Any

import extruct
import feedparser
import jsonschema
import pytest
from PIL import Image
from pydantic import ValidationError

from services.kernel.settings import Settings
from services.kernel.store.database import Database
from services.publish.bulletin import pages, site
from tests.publish.conftest import PUBLIC, TEXT, TITLE, Office, established, staffed
from tests.publish.test_bulletin import NASTY, page

WHO = {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}}
URI, AT, SAID = {"type": "string", "format": "uri"}, {"type": "string", "format": "date-time"}, {"type": "string"}
FILE = {
    "type": "object",
    "required": ["url", "mime_type"],
    "properties": {
        "url": URI,
        "mime_type": SAID,
        "title": SAID,
        **{key: {"type": "number"} for key in ("size_in_bytes", "duration_in_seconds")},
    },
    "additionalProperties": False,
}
ITEM = {
    "type": "object",
    "required": ["id"],
    "anyOf": [{"required": ["content_html"]}, {"required": ["content_text"]}],
    "properties": {
        **dict.fromkeys(("id", "title", "content_html", "content_text", "summary", "language"), SAID),
        **dict.fromkeys(("url", "external_url", "image", "banner_image"), URI),
        **dict.fromkeys(("date_published", "date_modified"), AT),
        "authors": WHO,
        "tags": {"type": "array", "items": SAID},
        "attachments": {"type": "array", "items": FILE},
    },
    "patternProperties": {"^_[a-zA-Z]": {"type": "object"}},
    "additionalProperties": False,
}
JSON_FEED = {
    "type": "object",
    "required": ["version", "title", "items"],
    "properties": {
        "version": {"const": "https://jsonfeed.org/version/1.1"},
        **dict.fromkeys(("title", "description", "user_comment", "language"), SAID),
        **dict.fromkeys(("home_page_url", "feed_url", "next_url", "icon", "favicon"), URI),
        "authors": WHO,
        "expired": {"type": "boolean"},
        "items": {"type": "array", "items": ITEM},
    },
    "patternProperties": {"^_[a-zA-Z]": {"type": "object"}},
    "additionalProperties": False,
}
"""JSON Feed 1.1 as its specification has it (jsonfeed.org/version/1.1), without hubs."""


async def _three(office: Office) -> list[str]:
    """A corrected statement, its follow-up with facts, and one with markup that is withdrawn."""
    first = await office.published()
    await office.act(first, "correct", "spokesperson", {"text": TEXT + "改", "reason": "写错"})
    await office.incident(established())
    second = await office.published("原因已查明。", kind="facts", facts=["cause"])
    third = await office.published(NASTY + "</script>")
    await office.act(third, "withdraw", "spokesperson", {"reason": NASTY})
    return [first, second, third]


@pytest.mark.parametrize("query", ["", "?lang=en", "?unit=town-east"])
async def test_a_feed_reader_finds_no_fault_in_the_atom_feed(office: Office, query: str) -> None:
    ids = await _three(office)
    answer = await office.client.get(f"/bulletin/feed.atom{query}")
    read = feedparser.parse(answer.content, response_headers={"content-type": answer.headers["content-type"]})
    assert (read.bozo, read.version) == (False, "atom10")
    assert [entry.id for entry in read.entries] == [f"urn:uuid:{id_.removeprefix('statement-')}" for id_ in ids[::-1]]
    for entry in read.entries:
        assert entry.updated_parsed >= entry.published_parsed
        assert entry.link.startswith(f"{PUBLIC}/bulletin/statements/")
        assert entry.author == "东镇"


@pytest.mark.parametrize("query", ["", "?lang=en"])
async def test_the_json_feed_is_one_on_every_page(office: Office, monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    monkeypatch.setattr(pages, "PER_FEED", 2)
    await _three(office)
    valid = jsonschema.Draft202012Validator(JSON_FEED, format_checker=jsonschema.FormatChecker())
    address, count = f"/bulletin/feed.json{query}", 0
    while address:
        read = (await office.client.get(address)).json()
        valid.validate(read)
        address, count = read.get("next_url", ""), count + len(read["items"])
    assert count == 3


async def _linked(office: Office, path: str) -> dict[str, Any]:
    answer = await office.client.get(f"/bulletin/{path}")
    found = extruct.extract(answer.text, base_url=PUBLIC, syntaxes=["json-ld"], errors="strict")
    (one,) = found["json-ld"]
    assert one["@context"] == "https://schema.org"
    return dict(one)


async def test_a_search_engine_reads_who_says_what(office: Office) -> None:
    first, second, third = await _three(office)
    told = await _linked(office, f"statements/{first}")
    assert (told["@type"], told["name"], told["text"]) == ("SpecialAnnouncement", TITLE, TEXT + "改")
    assert told["correction"][0]["@type"] == "CorrectionComment" and told["correction"][0]["text"] == "写错"
    speaker = {"@type": "GovernmentOrganization", "name": "东镇", "url": f"{PUBLIC}/bulletin/?unit=town-east"}
    assert told["author"] == told["publisher"] == speaker
    assert told["datePosted"] == told["datePublished"] < told["dateModified"]
    facts = await _linked(office, f"statements/{second}")
    assert (facts["@type"], facts["articleBody"]) == ("Article", "原因已查明。")
    assert facts["citation"] == f"{PUBLIC}/bulletin/statements/{first}"
    withdrawn = await _linked(office, f"statements/{third}")
    assert (withdrawn["creativeWorkStatus"], withdrawn["text"]) == ("Withdrawn", NASTY + "</script>")
    assert (await _linked(office, ""))["name"] == "示例市"
    assert (await _linked(office, "?unit=county"))["name"] == "示例县"


async def test_a_text_cannot_leave_the_data(office: Office) -> None:
    third = (await _three(office))[2]
    whole = (await office.client.get(f"/bulletin/statements/{third}")).text
    assert whole.count("</script>") == 1
    assert "ClaimReview" not in whole
    assert "alert" in (await page(office, f"statements/{third}")).text


async def test_the_page_of_a_statement_tells_its_state_and_its_changes(office: Office) -> None:
    first, second, third = await _three(office)
    for id_, state, changes in ((first, "现行，已更正", 2), (second, "现行，未更正", 0), (third, "已撤回", 2)):
        read = await page(office, f"statements/{id_}")
        assert state in read.text
        assert read.tags.count("li") == changes
        assert "/bulletin/?unit=town-east" in read.links


async def test_the_logo_is_a_file_of_the_settings(tmp_path: Path) -> None:
    logo, drawn = tmp_path / "logo.png", BytesIO()
    Image.new("RGB", (64, 64), "red").save(drawn, "PNG")
    logo.write_bytes(drawn.getvalue())
    settings = Settings(data=tmp_path, public_url=PUBLIC, site_logo=logo)
    async with staffed(Database(tmp_path / "publish.sqlite"), settings) as office:
        (address,) = [link for link in (await page(office)).links if "logo" in link]
        answer = await office.client.get(address)
        assert (answer.content, answer.headers["content-type"]) == (drawn.getvalue(), "image/png")
        assert answer.headers["cache-control"] == site.FOR_GOOD
        assert (await _linked(office, ""))["logo"] == PUBLIC + address


@pytest.mark.parametrize(
    "content", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\x89PNG\r\n\x1a\n" + bytes(200_000), None]
)
def test_a_wrong_logo_is_told_at_the_start(tmp_path: Path, content: bytes | None) -> None:
    logo = tmp_path / "logo"
    if content is not None:
        logo.write_bytes(content)
    with pytest.raises(ValidationError, match="logo"):
        Settings(site_logo=logo)


async def test_readers_see_a_correction_at_once_and_a_proxy_keeps_no_page_for_long(office: Office) -> None:
    id_ = await office.published()
    for path in ("", f"statements/{id_}", "feed.atom", "feed.json"):
        told = (await office.client.get(f"/bulletin/{path}")).headers["cache-control"].split(", ")
        assert {"public", "max-age=0", "must-revalidate", "s-maxage=5"} == set(told)
    (style,) = [link for link in (await page(office)).links if "style.css" in link]
    assert (await office.client.get(style)).headers["cache-control"] == site.FOR_GOOD
    for path in ("", f"statements/{id_}"):  # whoever spreads such an address hides no correction
        mark = (await office.client.get(f"/bulletin/{path}")).headers["etag"].strip('"')
        assert "max-age=0" in (await office.client.get(f"/bulletin/{path}?{mark}")).headers["cache-control"]
    assert "max-age=0" in (await office.client.get("/bulletin/style.css?old")).headers["cache-control"]
    assert (await office.client.get("/bulletin/logo")).status_code == 404
