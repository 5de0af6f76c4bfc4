"""The feeds of the bulletin: Atom (RFC 4287) and JSON Feed 1.1, with the same entries."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from services.kernel.core.ids import derived
from services.kernel.delivery.runtime import Runtime
from services.publish.bulletin.shown import Found, Item, moment, tags
from services.publish.bulletin.site import Site, query, templates

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of the last change of an empty bulletin."""


def atom(runtime: Runtime, site: Site, page: Found, cursor: str | None) -> bytes:
    """A page of the Atom feed."""
    return (
        templates.get_template("feed.atom.xml")
        .render(
            feed_id=_feed_id(runtime, page.unit),
            title=site.title(page),
            updated=moment(_changed(page.items), UTC).iso,
            base=site.url,
            self_url=site.feed("feed.atom", page.unit, cursor),
            next=page.next and site.feed("feed.atom", page.unit, page.next),
            items=page.items,
            zone=page.zone,
        )
        .encode()
    )


def json_feed(site: Site, page: Found, cursor: str | None) -> dict[str, Any]:
    """A page of the JSON feed."""
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": site.title(page),
        "language": "zh-Hans",
        "home_page_url": site.url + query(unit=page.unit),
        "feed_url": site.feed("feed.json", page.unit, cursor),
        "items": [
            {
                "id": f"urn:uuid:{item['id'].partition('-')[2]}",
                "url": f"{site.url}statements/{item['id']}",
                "title": item["heading"],
                "content_html": templates.get_template("entry.html").render(item=item, base=site.url, zone=page.zone),
                "date_published": item["published"].iso,
                "date_modified": item["updated"].iso,
                "authors": [{"name": item["unit_name"]}],
                "tags": tags(item),
                "_huiying": {name: item[name] for name in ("number", "incident_number", "incident_id", "corrections")},
            }
            for item in page.items
        ],
    }
    return feed | ({"next_url": site.feed("feed.json", page.unit, page.next)} if page.next else {})


def _feed_id(runtime: Runtime, unit: str | None) -> str:
    named = (unit,) if unit else ()
    return f"urn:uuid:{derived('bulletin', runtime.settings.source(runtime.service.name), *named)}"


def _changed(items: Sequence[Item]) -> datetime:
    return max((item["changed"] for item in items), default=NEVER)
