"""The bulletin in English: one click away, and the address alone decides it."""

import re

import pytest

from services.publish.bulletin.words import CATALOGUE
from tests.publish.conftest import TEXT, TITLE, Office, established
from tests.publish.test_bulletin import Texts, feed, of, page

HAN = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")


def test_the_catalogue_has_each_text_of_today_and_no_other() -> None:
    kept = CATALOGUE.kept()
    assert list(kept) == list(CATALOGUE.extracted()), "run python -m services.publish.bulletin.catalogue"
    assert [text for text, english in kept.items() if not english] == [], "write their English into the catalogue"
    assert CATALOGUE.file.read_bytes() == CATALOGUE.fresh(), "nothing is fuzzy or obsolete, nothing stands twice"
    for text, english in kept.items():
        assert sorted(PLACEHOLDER.findall(english)) == sorted(PLACEHOLDER.findall(text)), text
        assert not HAN.search(english), f"Chinese in the English of {text}"


def test_no_template_has_a_text_outside_the_catalogue() -> None:
    for file in (CATALOGUE.root / "templates").iterdir():
        bare = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", file.read_text(), flags=re.DOTALL)
        left = HAN.findall(bare.replace(">中文", ">").replace("……", ""))
        assert not left, f"{file.name} says {left} in no language's catalogue"


def _unmarked(html: str) -> str:
    """What a page says outside of parts whose language is marked."""
    return Texts(re.sub(r"<(\w+)[^>]* lang=\"zh-Hans\"[^>]*>[^<]*</\1>", "", html)).text


async def _changed(office: Office) -> str:
    first = await office.published()
    await office.act(first, "correct", "spokesperson", {"title": "改过的标题", "text": "改正。", "reason": "写错"})
    await office.incident(established())
    second = await office.published("原因已查明。", kind="facts", facts=["cause"])
    await office.act(second, "withdraw", "spokesperson", {"reason": "不实"})
    return first


async def test_every_page_says_its_own_words_in_english_and_marks_the_offices_as_chinese(office: Office) -> None:
    id_ = await _changed(office)
    for path, status in (("", 200), ("?unit=town-east", 200), (f"statements/{id_}", 200), ("statements/none", 404)):
        mark = "&" if "?" in path else "?"
        answer = await office.client.get(f"/bulletin/{path}{mark}lang=en")
        assert (answer.status_code, answer.headers["content-language"]) == (status, "en")
        assert '<html lang="en">' in answer.text
        assert not HAN.search(_unmarked(answer.text)), path
        kept = [link for link in Texts(answer.text).links if "hreflang" not in link and "." not in link]
        switch = re.search(r'class="language" href="([^"]+)"', answer.text)
        assert switch is not None
        assert all("lang=en" in link for link in kept if link not in ("#main", switch[1]))
        chinese = await office.client.get(switch[1])
        if status == 200:
            assert chinese.status_code == 200
            assert '<html lang="zh-Hans">' in chinese.text
            assert f"/bulletin/{path}{mark}lang=en" in Texts(chinese.text.replace("&amp;", "&")).links
    shown = (await page(office, f"statements/{id_}?lang=en")).text
    for part in (
        "Corrected",
        "Published by",
        "Texts before the correction",
        TITLE,
        TEXT,
        "东镇",
        "Beijing time (UTC+8)",
    ):
        assert part in shown


async def test_only_the_address_decides_the_language(office: Office) -> None:
    await office.published()
    chinese = await office.client.get("/bulletin/")
    for liked in ("en", "zh", "fr"):
        answer = await office.client.get("/bulletin/", headers={"Accept-Language": liked})
        assert answer.headers["etag"] == chinese.headers["etag"]
        assert "vary" not in answer.headers
    assert (await office.client.get("/bulletin/?lang=zh")).headers["content-language"] == "zh-Hans"
    assert (await office.client.get("/bulletin/?lang=fr")).status_code == 404
    assert (await office.client.get("/bulletin/statements/x?lang=fr")).status_code == 404
    assert (await office.client.get("/bulletin/feed.atom?lang=fr")).status_code == 422


async def test_the_feeds_have_english_labels_and_keep_their_entries(office: Office) -> None:
    await _changed(office)
    chinese, english = await feed(office), await feed(office, "?lang=en")
    entries = [
        [of(one, "id") for one in root.findall("{http://www.w3.org/2005/Atom}entry")] for root in (chinese, english)
    ]
    assert entries[0] == entries[1]
    assert of(chinese, "id") != of(english, "id")
    items = (await office.client.get("/bulletin/feed.json?lang=en")).json()
    assert items["language"] == "en"
    assert items["items"][0]["title"] == f"Withdrawn: {TITLE}"
    assert items["items"][0]["url"].endswith("?lang=en")
    assert "Reason: " in items["items"][0]["content_html"]


@pytest.mark.parametrize("path", ["", "statements/{id}", "feed.atom", "feed.json"])
async def test_each_language_has_its_own_tag(office: Office, path: str) -> None:
    place = f"/bulletin/{path.format(id=await office.published())}"
    tags = {(await office.client.get(f"{place}{query}")).headers["etag"] for query in ("", "?lang=en")}
    assert len(tags) == 2
