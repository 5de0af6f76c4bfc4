"""The feeds of the bulletin: Atom (RFC 4287) and JSON Feed 1.1, with the same entries."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Query

from services.kernel.core.ids import derived
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import documents
from services.publish.bulletin.shown import Found, Item, moment, tags
from services.publish.bulletin.site import Site, templates
from services.publish.bulletin.words import TAGS

ATOM = "application/atom+xml; charset=utf-8"
FEED = {"application/atom+xml": documents.text("<feed>…</feed>")}
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before.")]
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of the last change of an empty bulletin."""


def atom(runtime: Runtime, site: Site, page: Found, cursor: str | None, place: str = "feed.atom") -> bytes:
    """A page of the Atom feed, or of the index of alerts if `place` is that one's."""
    narrowed, is_index = {"unit": page.narrowed.unit}, place != "feed.atom"
    return (
        templates(site.language)
        .get_template("feed.atom.xml")
        .render(
            feed_id=_feed_id(runtime, site, "cap" if is_index else None, page.narrowed.unit),
            title=site.title(page),
            updated=moment(_changed(page.items), UTC).iso,
            is_index=is_index,
            to=site.full,
            home=site.full(),
            self_url=site.full(place, **narrowed, cursor=cursor),
            next=page.next and site.full(place, **narrowed, cursor=page.next),
            items=page.items,
            zone=page.zone,
        )
        .encode()
    )


def json_feed(site: Site, page: Found, cursor: str | None) -> dict[str, Any]:
    """A page of the JSON feed."""
    entry, narrowed = templates(site.language).get_template("entry.html"), {"unit": page.narrowed.unit}
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": site.title(page),
        "language": TAGS[site.language],
        "home_page_url": site.full(**narrowed),
        "feed_url": site.full("feed.json", **narrowed, cursor=cursor),
        "items": [
            {
                "id": f"urn:uuid:{item['id'].partition('-')[2]}",
                "url": site.full(f"statements/{item['id']}"),
                "title": item["heading"],
                "content_html": entry.render(item=item, to=site.full, zone=page.zone),
                "date_published": item["published"].iso,
                "date_modified": item["updated"].iso,
                "authors": [{"name": item["unit_name"]}],
                "tags": tags(item),
                "attachments": _attachments(item, site),
                "_huiying": {
                    **{name: item[name] for name in ("number", "incident_number", "incident_id", "corrections")},
                    "next_at": item["next"].iso if item["next"] else None,
                },
            }
            for item in page.items
        ],
    }
    return feed | ({"next_url": site.full("feed.json", **narrowed, cursor=page.next)} if page.next else {})


def _attachments(item: Item, site: Site) -> list[dict[str, Any]]:
    held = [] if item["withdrawal"] else item["files"]
    return [
        {
            "url": site.full(f"files/{one['file']}"),
            "mime_type": one["media_type"],
            "title": one["title"],
            "size_in_bytes": one["size"],
        }
        for one in held
    ]


def _feed_id(runtime: Runtime, site: Site, *parts: str | None) -> str:
    """The same for good: of the whole bulletin, of one unit or of the alerts, in one language."""
    named = [*(part for part in parts if part), *(() if site.language == "zh" else (f"lang={site.language}",))]
    return f"urn:uuid:{derived('bulletin', runtime.settings.source(runtime.service.name), *named)}"


def _changed(items: Sequence[Item]) -> datetime:
    return max((item["changed"] for item in items), default=NEVER)
