"""What the public sees: HTML, Atom and JSON Feed, from real statements on a real store."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import instant
from schemas.offices import UnitPlaced
from services.kernel.core.ids import derived
from services.kernel.settings import Settings
from services.kernel.store.database import Database
from services.publish.bulletin import pages
from services.publish.bulletin.shown import moment, zone_name
from tests.kit import spec
from tests.publish.conftest import INCIDENT, SINCE, TEXT, TITLE, Office, established, opened, staffed

ATOM = "{http://www.w3.org/2005/Atom}"
NASTY = "<script>alert('一')</script> & \"引号\" ]]> </title>"


class Texts(HTMLParser):
    """The visible text of a page, and its tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.named: list[str] = []
        """The page's own address and those in each language. A browser opens none of them."""
        self.text = ""
        self._is_data = False
        self.selects: dict[str, list[tuple[str, bool]]] = {}
        """Name of each list in a form -> its values, and whether each is chosen."""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "script" or dict(attrs) != {"type": "application/ld+json"}:
            self.tags.append(tag)  # no browser runs data
        self._is_data = tag == "script"
        if tag == "select":
            self.selects[str(dict(attrs)["name"])] = []
        elif tag == "option":
            self.selects[list(self.selects)[-1]].append((str(dict(attrs)["value"]), "selected" in dict(attrs)))
        if dict(attrs).get("rel") == "canonical" or (tag == "link" and "hreflang" in dict(attrs)):
            self.named.append(str(dict(attrs)["href"]))
            return
        self.links += [value for name, value in attrs if name in ("href", "src") and value]

    def handle_data(self, data: str) -> None:
        self.text += "" if self._is_data else data

    def handle_endtag(self, tag: str) -> None:
        self._is_data = False


async def page(office: Office, path: str = "") -> Texts:
    answer = await office.client.get(f"/bulletin/{path}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Texts(answer.text)


async def feed(office: Office, query: str = "") -> ET.Element:
    answer = await office.client.get(f"/bulletin/feed.atom{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    root = ET.fromstring(answer.content)  # noqa: S314 - it is our own
    assert root.tag == f"{ATOM}feed"
    return root


def of(element: ET.Element, name: str) -> str:
    (found,) = element.findall(ATOM + name)
    return found.text or ""


def links(element: ET.Element) -> dict[str, str]:
    return {link.attrib["rel"]: link.attrib["href"] for link in element.findall(f"{ATOM}link")}


async def test_an_empty_bulletin_is_a_page_and_a_feed(office: Office) -> None:
    assert "目前没有公开发布的内容" in (await page(office)).text
    root = await feed(office)
    assert root.findall(f"{ATOM}entry") == []
    assert of(root, "updated") == "1970-01-01T00:00:00Z"


@pytest.mark.requirement("PUB-02", "PUB-18")
async def test_only_what_was_published_appears_and_under_the_units_name(office: Office) -> None:
    draft = await office.draft("没有核准的草稿")
    waiting = await office.draft("等待核准的文本")
    await office.act(waiting, "submit", "handler")
    await office.act(waiting, "approve", "approver", {"reason": "内部意见"})
    id_ = await office.published()
    for path in ("", f"statements/{id_}"):
        shown = (await page(office, path)).text
        assert TEXT in shown
        assert "东镇" in shown
        assert INCIDENT in shown
        assert not re.search("草稿|等待|内部|approver|handler|spokesperson", shown)
    for hidden in (draft, waiting):
        answer = await office.client.get(f"/bulletin/statements/{hidden}")
        assert (answer.status_code, "没有此页" in answer.text) == (404, True)
    events = office.runtime.tables["events"]
    async with office.runtime.database.read() as connection:
        digests = re.findall(
            r'"by":"(\w+)"', b"".join([row.bytes for row in await connection.execute(events.select())]).decode()
        )
    for path in ("", f"statements/{id_}", "feed.atom", "feed.json"):
        answer = (await office.client.get(f"/bulletin/{path}")).text
        assert digests
        assert not any(digest in answer for digest in digests)
        assert "草稿" not in answer


async def test_times_are_given_in_one_zone_which_the_page_names(office: Office) -> None:
    id_ = await office.published()
    who = office.as_("auditor")
    at = datetime.fromisoformat(
        (await office.client.get(f"/publish/v1/statements/{id_}", headers=who)).json()["published_at"]
    )
    here = at + timedelta(hours=8)
    for path in ("", f"statements/{id_}"):
        shown = (await page(office, path)).text
        assert f"{here.year}年{here.month}月{here.day}日 {here:%H:%M}" in shown
        assert "时间均为北京时间（UTC+8）。" in shown
        assert shown.count("UTC") == 1
    (entry,) = (await feed(office)).findall(f"{ATOM}entry")
    assert "时间均为北京时间（UTC+8）。" in of(entry, "content")


async def test_the_last_change_leads_the_card_and_the_title_of_the_feeds_entry(office: Office) -> None:
    id_ = await office.published()
    cards = [(TITLE, "发布"), (f"已更正：{TITLE}", "更正"), (f"已撤回：{TITLE}", "撤回")]
    acts = [("correct", {"text": "改正", "reason": "写错"}), ("withdraw", {"reason": "不实"})]
    for heading, act in cards:
        at = office.runtime.time_source.now() + timedelta(hours=8)
        card = (await page(office)).text.rpartition("查找")[2].split()
        assert (card[0], card[2], card[3]) == (f"{at.year}年{at.month}月{at.day}日", act, TITLE)
        (entry,) = (await feed(office)).findall(f"{ATOM}entry")
        assert of(entry, "title") == heading
        assert (await office.client.get("/bulletin/feed.json")).json()["items"][0]["title"] == heading
        office.runtime.time_source.move(timedelta(days=1))
        if acts:
            await office.act(id_, acts[0][0], "spokesperson", acts[0][1])
            acts.pop(0)


async def test_a_corrected_title_leaves_the_earlier_one_visible(office: Office) -> None:
    id_ = await office.published()
    await office.act(id_, "correct", "spokesperson", {"title": "路面已修复", "text": "已修复。", "reason": "标题有误"})
    shown = (await page(office, f"statements/{id_}")).text
    assert shown.index("路面已修复") < shown.index("更正前的文本") < shown.index(f"标题：{TITLE}")


async def test_a_page_and_its_feeds_are_narrowed_to_a_unit_and_those_below_it(office: Office) -> None:
    west = await office.incident(opened("town-west"), uuid=derived("west"))
    await office.published("东镇的事。")
    await office.published("西镇的事。", incident_id=west)
    for unit, shown, hidden in (("town-east", "东镇的事", "西镇的事"), ("town-west", "西镇的事", "东镇的事")):
        narrowed = await page(office, f"?unit={unit}")
        assert shown in narrowed.text
        assert hidden not in narrowed.text
        assert f"/bulletin/feed.atom?unit={unit}" in narrowed.links
        root = await feed(office, f"?unit={unit}")
        assert len(root.findall(f"{ATOM}entry")) == 1
        assert of(root, "title") == f"回应公告：{shown[:2]}"
        assert of(root, "id") != of(await feed(office), "id")
        assert links(root)["self"] == f"http://office.test/bulletin/feed.atom?unit={unit}"
        read = (await office.client.get(f"/bulletin/feed.json?unit={unit}")).json()
        assert [len(read["items"]), read["feed_url"].partition("?")[2]] == [1, f"unit={unit}"]
    both = await page(office, "?unit=county")
    assert "东镇的事" in both.text
    assert "西镇的事" in both.text
    assert {f"/bulletin/?unit={unit}" for unit in ("town-east", "town-west")} <= set((await page(office)).links)
    assert [code for code, _ in both.selects["unit"]] == ["", "city", "county", "town-east", "town-west"]
    assert (await office.client.get("/bulletin/?unit=moon")).status_code == 404
    for path in ("feed.atom?unit=moon", "feed.json?unit=moon", "feed.atom?units=county"):
        answer = await office.client.get(f"/bulletin/{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert (await office.client.get("/bulletin/?from=singlemessage")).status_code == 200


async def test_links_and_redirects_begin_with_the_public_address_whatever_host_says(tmp_path: Path) -> None:
    settings = Settings(
        data=tmp_path,
        public_url="https://county.example/huiying/",
        site_name="示例县回应台",
        site_contact="县政府办公室 0731-5550100",
    )
    async with staffed(Database(tmp_path / "publish.sqlite"), settings) as office:
        id_ = await office.published()
        evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher"}
        for path in ("/bulletin/", f"/bulletin/statements/{id_}", "/bulletin/feed.atom", "/bulletin/feed.json"):
            answer = await office.client.get(path, headers=evil)
            assert "evil" not in answer.text + str(answer.headers)
            assert "gopher" not in answer.text
        shown = await page(office, f"statements/{id_}")
        assert all(link.startswith(("/huiying/bulletin/", "#")) for link in shown.links)
        assert all(link.startswith("https://county.example/huiying/bulletin/") for link in shown.named)
        assert f"https://county.example/huiying/bulletin/statements/{id_}" in shown.text
        assert "示例县回应台" in shown.text
        assert "联系方式：县政府办公室 0731-5550100" in shown.text
        assert links(await feed(office))["self"] == "https://county.example/huiying/bulletin/feed.atom"
        answer = await office.client.get("/bulletin", headers=evil)
        assert (answer.status_code, answer.headers["location"]) == (308, "https://county.example/huiying/bulletin/")


async def test_a_date_in_a_condition_is_never_read(office: Office) -> None:
    """Not even a date that no calendar has. The page may change within its second."""
    id_ = await office.published()
    await office.act(id_, "withdraw", "spokesperson", {"reason": "不实"})
    for path in ("", f"statements/{id_}", "feed.atom", "feed.json", "style.css"):
        for date in ("Wed, 01 Jan 2098 00:00:00 GMT", "Mon, 02 Mar 2026 00:00:00 +99999999999999999999", "x"):
            answer = await office.client.get(f"/bulletin/{path}", headers={"If-Modified-Since": date})
            assert answer.status_code == 200
            assert "last-modified" not in answer.headers
            assert not answer.headers["etag"].startswith("W/")


async def test_the_name_is_the_one_that_the_unit_had_when_it_spoke(office: Office) -> None:
    id_ = await office.published()
    later = office.runtime.time_source.now() + timedelta(days=1)
    placed = UnitPlaced(unit="town-east", kind="town", name="东街道", parent="county", since=later)
    old = UnitPlaced(unit="town-east", kind="town", name="东镇", parent="county", since=SINCE)
    await office.hear(spec.events("unit", [old, placed], uuid=derived("town-east"))[1:])
    office.runtime.time_source.move(timedelta(days=2))
    assert "东街道" not in (await page(office, f"statements/{id_}")).text
    fresh = await office.published("第二天")
    assert "东街道" in (await page(office, f"statements/{fresh}")).text


async def test_corrections_and_the_withdrawal_stand_beside_the_old_text(office: Office) -> None:
    id_ = await office.published("今日恢复。")
    assert (await office.act(id_, "correct", "spokesperson", {"text": "明日恢复。", "reason": "时间写错"})).is_success
    again = {"text": "后日恢复。", "reason": "设备故障"}
    assert (await office.act(id_, "correct", "spokesperson", again, person="another")).is_success
    shown = (await page(office, f"statements/{id_}")).text
    places = [
        shown.index(part) for part in ("设备故障", "后日恢复。", "更正前的文本", "时间写错", "明日恢复。", "今日恢复。")
    ]
    assert places == sorted(places)
    assert "已更正" in (await page(office)).text
    assert (await office.act(id_, "withdraw", "spokesperson", {"reason": "事项不属本镇"})).is_success
    shown = (await page(office, f"statements/{id_}")).text
    for part in ("本件已撤回", "事项不属本镇", "后日恢复。", "明日恢复。", "今日恢复。"):
        assert part in shown
    front = (await page(office)).text
    assert "已撤回" in front
    assert "后日恢复。" in front


@pytest.mark.requirement("PUB-14", "PUB-16")
async def test_a_second_approved_statement_names_the_one_that_it_updates(office: Office) -> None:
    first = await office.published("正在核查。")
    await office.incident(established())
    office.runtime.time_source.move(timedelta(hours=1))
    second = await office.published("原因是水管破裂。", kind="facts", facts=["cause"])
    later = await page(office, f"statements/{second}")
    assert "本件是后续回应" in later.text
    assert f"/bulletin/statements/{first}" in later.links
    earlier = await page(office, f"statements/{first}")
    assert "正在核查。" in earlier.text
    assert f"/bulletin/statements/{second}" in earlier.links
    entries = (await feed(office)).findall(f"{ATOM}entry")
    assert links(entries[0])["related"] == f"http://office.test/bulletin/statements/{first}"
    assert "related" not in links(entries[1])
    elsewhere = await office.incident(opened(), uuid=derived("elsewhere"))
    alone = await page(office, f"statements/{await office.published('另一事项。', incident_id=elsewhere)}")
    assert "后续回应" not in alone.text


async def test_markup_in_a_text_is_shown_as_text(office: Office) -> None:
    id_ = await office.published(NASTY)
    await office.act(id_, "correct", "spokesperson", {"text": NASTY + "改", "reason": NASTY})
    await office.act(id_, "withdraw", "spokesperson", {"reason": NASTY})
    for path in ("", f"statements/{id_}"):
        shown = await page(office, path)
        assert NASTY in shown.text
        assert "script" not in shown.tags
    (entry,) = (await feed(office)).findall(f"{ATOM}entry")
    inner = Texts(of(entry, "content"))
    assert NASTY in inner.text
    assert "script" not in inner.tags
    item = (await office.client.get("/bulletin/feed.json")).json()["items"][0]
    assert "<script" not in item["content_html"]
    assert NASTY in Texts(item["content_html"]).text


async def test_atom_field_by_field(office: Office) -> None:
    id_ = await office.published()
    published_at = office.runtime.time_source.now()
    office.runtime.time_source.move(timedelta(hours=-1))
    first = await feed(office)
    assert of(first, "title") == "回应公告"
    assert of(first, "id").startswith("urn:uuid:")
    assert links(first) == {
        "self": "http://office.test/bulletin/feed.atom",
        "alternate": "http://office.test/bulletin/",
    }
    (entry,) = first.findall(f"{ATOM}entry")
    assert of(entry, "id") == f"urn:uuid:{id_.removeprefix('statement-')}"
    assert of(entry, "title") == TITLE
    assert of(entry, "updated") == of(entry, "published") == of(first, "updated")
    assert abs(datetime.fromisoformat(of(entry, "published")) - published_at) < timedelta(minutes=1)
    (author,) = entry.findall(f"{ATOM}author")
    assert [(child.tag, child.text) for child in author] == [(f"{ATOM}name", "东镇")]
    assert links(entry) == {"alternate": f"http://office.test/bulletin/statements/{id_}"}
    (content,) = entry.findall(f"{ATOM}content")
    assert content.attrib == {"type": "html"}
    assert TEXT in Texts(content.text or "").text
    assert [tag.attrib["term"] for tag in entry.findall(f"{ATOM}category")] == ["status", "interim_reply"]

    office.runtime.time_source.move(timedelta(hours=2))
    await office.act(id_, "correct", "spokesperson", {"text": "改正的文本", "reason": "写错"})
    corrected = (await feed(office)).findall(f"{ATOM}entry")[0]
    assert (of(corrected, "id"), of(corrected, "published")) == (of(entry, "id"), of(entry, "published"))
    assert of(corrected, "updated") > of(entry, "updated")
    said = Texts(of(corrected, "content")).text
    assert "改正的文本" in said
    assert TEXT in said
    office.runtime.time_source.move(timedelta(hours=1))
    await office.act(id_, "withdraw", "spokesperson", {"reason": "不实"})
    (withdrawn,) = (last := await feed(office)).findall(f"{ATOM}entry")
    assert of(withdrawn, "id") == of(entry, "id")
    assert of(withdrawn, "updated") == of(last, "updated") > of(corrected, "updated")
    assert of(last, "id") == of(first, "id")
    terms = [tag.attrib["term"] for tag in withdrawn.findall(f"{ATOM}category")]
    assert terms == ["status", "interim_reply", "corrected", "withdrawn"]


async def test_the_json_feed_has_the_same_entries(office: Office) -> None:
    id_ = await office.published()
    await office.act(id_, "correct", "spokesperson", {"text": "改正的文本", "reason": "写错"})
    answer = await office.client.get("/bulletin/feed.json")
    assert answer.headers["content-type"] == "application/feed+json; charset=utf-8"
    read = answer.json()
    assert read["version"] == "https://jsonfeed.org/version/1.1"
    assert read["feed_url"] == "http://office.test/bulletin/feed.json"
    assert read["home_page_url"] == "http://office.test/bulletin/"
    (item,) = read["items"]
    (entry,) = (await feed(office)).findall(f"{ATOM}entry")
    assert item["id"] == of(entry, "id")
    assert item["date_published"] == of(entry, "published")
    assert item["date_modified"] == of(entry, "updated")
    assert item["content_html"].split() == of(entry, "content").split()
    assert item["authors"] == [{"name": "东镇"}]
    assert item["tags"] == ["status", "interim_reply", "corrected"]


@pytest.mark.parametrize("path", ["", "feed.atom", "feed.json", "style.css", "icon.svg", "statements/{id}"])
async def test_conditional_requests(office: Office, path: str) -> None:
    id_ = await office.published()
    path = f"/bulletin/{path.format(id=id_)}"
    full = await office.client.get(path)
    tag = full.headers["ETag"]
    for sent in (tag, f'W/{tag}, "other"', f'"other", {tag[:-1]}-gzip"', f'{tag[:-1]}-br"', "*"):
        same = await office.client.get(path, headers={"If-None-Match": sent})
        assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", tag)
    assert (await office.client.get(path, headers={"If-None-Match": '"other"'})).status_code == 200
    head = await office.client.head(path)
    assert (head.status_code, head.headers["ETag"]) == (200, tag)
    if path.endswith((".css", ".svg")):
        return
    update = {"title": "又一件", "text": "又一件。"}
    for change in (
        office.act(id_, "correct", "spokesperson", {"text": TEXT + "改", "reason": "写错"}),
        office.published(**update),
        office.act(id_, "withdraw", "spokesperson", {"reason": "不实"}),
    ):
        await change
        answer = await office.client.get(path, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.headers["ETag"] != tag) == (200, True)
        tag = answer.headers["ETag"]


@pytest.mark.requirement("DRL-02")
async def test_a_drill_is_marked_in_every_event_and_never_shown(office: Office) -> None:
    real = await office.published("真实事项。")
    drill = await office.incident(opened(), uuid=derived("drill"), drill=True)
    id_ = await office.published("演练事项。", incident_id=drill)
    events = office.runtime.tables["events"]
    async with office.runtime.database.read() as connection:
        stored = [row async for row in await connection.stream(events.select())]
    assert {row.stream_id for row in stored if b'"drill":true' in row.bytes} == {id_}
    assert sum(b'"drill":true' in row.bytes for row in stored) == 4
    for path in ("", "feed.atom", "feed.json", f"statements/{real}"):
        answer = await office.client.get(f"/bulletin/{path}")
        assert "真实事项" in answer.text
        assert "演练" not in answer.text
    assert (await office.client.get(f"/bulletin/statements/{id_}")).status_code == 404


async def test_pages_and_feeds_go_on(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PER_PAGE", 2)
    monkeypatch.setattr(pages, "PER_FEED", 2)
    for number in range(5):
        office.runtime.time_source.move(timedelta(minutes=1))
        await office.published(f"第{number}件。")
    path, seen = "/bulletin/", ""
    for _ in range(3):
        answer = await office.client.get(path)
        seen += Texts(answer.text).text
        following = re.search(r'href="([^"]+)" rel="next"', answer.text)
        path = following[1] if following else ""
    assert path == ""
    assert [seen.index(f"第{number}件。") for number in (4, 3, 2, 1, 0)] == sorted(
        seen.index(f"第{n}件。") for n in range(5)
    )
    root = await feed(office)
    ids = []
    while True:
        ids += [of(entry, "id") for entry in root.findall(f"{ATOM}entry")]
        if "next" not in links(root):
            break
        root = await feed(office, "?" + links(root)["next"].partition("?")[2])
    assert len(set(ids)) == len(ids) == 5
    read = (await office.client.get("/bulletin/feed.json")).json()
    assert read["next_url"].startswith("http://office.test/bulletin/feed.json?cursor=")
    assert len((await office.client.get(read["next_url"])).json()["items"]) == 2
    assert (await office.client.get("/bulletin/?cursor=nonsense")).status_code == 404
    assert (await office.client.get("/bulletin/feed.atom?cursor=nonsense")).status_code == 422


async def test_each_page_holds_one_connection(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """With two each, as many readers as there are connections would wait for each other."""
    database, held = office.runtime.database, [0, 0]
    read = database.read

    @asynccontextmanager
    async def counted() -> AsyncIterator[AsyncConnection]:
        async with read() as connection:
            held[0] += 1
            held[1] = max(held)
            try:
                yield connection
            finally:
                held[0] -= 1

    monkeypatch.setattr(type(database), "read", lambda _: counted())
    for path in ("?unit=moon", "?cursor=nonsense", "statements/nothing", "feed.atom", "feed.json", ""):
        await office.client.get(f"/bulletin/{path}")
        assert held == [0, 1], path


async def test_nothing_is_loaded_from_elsewhere_and_no_script_runs(office: Office) -> None:
    id_ = await office.published()
    for path in (
        "/bulletin/",
        f"/bulletin/statements/{id_}",
        "/bulletin/feed.atom",
        "/bulletin/style.css",
        "/bulletin/no",
    ):
        answer: httpx.Response = await office.client.get(path)
        policy = answer.headers.get("content-security-policy", "")
        if path != "/bulletin/no":
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "://" not in policy
    for path in ("", f"statements/{id_}"):
        shown = await page(office, path)
        assert "script" not in shown.tags
        assert all(link.startswith(("/bulletin/", "#")) for link in shown.links)


@pytest.mark.parametrize("id_", [f"statement-{derived('none')}", "statement-1", INCIDENT, "%3Cscript%3E"])
async def test_what_was_never_published_is_a_page_too(office: Office, id_: str) -> None:
    answer = await office.client.get(f"/bulletin/statements/{id_}")
    assert (answer.status_code, "没有此页" in answer.text, "<script" in answer.text) == (404, True, False)


def test_an_instant_for_readers() -> None:
    at = datetime.fromisoformat("2026-03-02T09:00:00.5+00:00")
    assert moment(at, spec.NOW.tzinfo or at.tzinfo).local == "2026年3月2日 09:00"  # type: ignore[arg-type]
    assert zone_name(timezone(timedelta(hours=-3.5))) == "UTC-03:30 时间"
    assert datetime.fromisoformat(moment(at, spec.NOW.tzinfo).iso) == at  # type: ignore[arg-type]
    assert instant(at) == "2026-03-02T09:00:00.500000Z"
