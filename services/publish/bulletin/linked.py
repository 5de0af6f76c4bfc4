"""What a page says to search engines: JSON-LD in the words of schema.org, as data inside the page.

A statement is an `Article` if it tells facts and a `SpecialAnnouncement` if it tells how a matter is handled. It is
never a `ClaimReview`: that rates what somebody said.
"""

from typing import Any

import orjson
from markupsafe import Markup

from services.publish.bulletin.shown import Item
from services.publish.bulletin.words import TAGS, is_chinese

_ESCAPED = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}
"""Signs with which a text could end the element that it stands in."""


def office(name: str, url: str, logo: str | None, contact: str) -> Markup:
    """The office whose statements a list shows."""
    return _data(_office(name, url) | ({"logo": logo} if logo else {}) | ({"description": contact} if contact else {}))


def statement(item: Item, url: str, unit_url: str, related: str | None, files: str) -> Markup:
    """A published statement with its corrections. `related` is the address of the one that it updates, `files` that of
    the folder of files.
    """
    speaker = _office(item["unit_name"], unit_url)
    data = {
        "url": url,
        "identifier": item["number"],
        "datePublished": item["published"].iso,
        "dateModified": item["updated"].iso,
        "inLanguage": TAGS["zh" if is_chinese(item["text"]) else "en"],
        "author": speaker,
        "publisher": speaker,
    }
    if item["kind"] == "facts":
        data |= {"@type": "Article", "headline": item["title"], "articleBody": item["text"]}
    else:
        data |= {"@type": "SpecialAnnouncement", "name": item["title"], "text": item["text"]}
        data |= {"datePosted": item["published"].iso}
    corrections = [
        {"@type": "CorrectionComment", "text": release["reason"], "datePublished": release["at"].iso}
        for release in item["said"]
        if release["kind"] == "correction"
    ]
    if corrections:
        data["correction"] = corrections
    if item["withdrawal"]:
        data["creativeWorkStatus"] = "Withdrawn"
    if related:
        data["citation"] = related
    if item["files"] and not item["withdrawal"]:
        data["associatedMedia"] = [_file(one, files) for one in item["files"]]
    return _data(data)


def _file(one: Item, files: str) -> dict[str, Any]:
    is_picture = one["media_type"].startswith("image/")
    return {
        "@type": "ImageObject" if is_picture else "MediaObject",
        "name": one["title"],
        "contentUrl": files + one["file"],
        "encodingFormat": one["media_type"],
        "contentSize": str(one["size"]),
        "sha256": one["sha256"],
    }


def _office(name: str, url: str) -> dict[str, Any]:
    return {"@type": "GovernmentOrganization", "name": name, "url": url}


def _data(told: dict[str, Any]) -> Markup:
    written = orjson.dumps({"@context": "https://schema.org", **told}).decode().translate(_ESCAPED)
    return Markup('<script type="application/ld+json">{}</script>').format(Markup(written))  # noqa: S704
