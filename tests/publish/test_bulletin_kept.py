"""Pages that a process keeps: a rush costs one drawing, and what is published is seen at once."""

import pytest

from services.kernel.delivery.runtime import Runtime
from services.publish.bulletin import kept
from services.publish.bulletin.site import Site
from tests.publish.conftest import TEXT, Office


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The templates of the pages that were drawn."""
    seen, draw = list[str](), Site.draw

    def noting(self: Site, template: str, path: str = "", **values: object) -> bytes:
        seen.append(template)
        return draw(self, template, path, **values)

    monkeypatch.setattr(Site, "draw", noting)
    return seen


async def test_a_page_is_drawn_once_until_something_is_published(office: Office, drawn: list[str]) -> None:
    id_ = await office.published()
    for path in ("", f"statements/{id_}"):
        first = await office.client.get(f"/bulletin/{path}")
        again = await office.client.get(f"/bulletin/{path}")
        assert (again.content, dict(again.headers)) == (first.content, dict(first.headers))
        assert len(drawn) == 1
        tag = {"If-None-Match": first.headers["etag"]}
        assert (await office.client.get(f"/bulletin/{path}", headers=tag)).status_code == 304
        await office.client.get(f"/bulletin/{path}?lang=en")
        assert len(drawn) == 2
        drawn.clear()
    await office.act(id_, "correct", "spokesperson", {"text": TEXT + "改", "reason": "写错"})
    for path in ("", f"statements/{id_}"):
        assert TEXT + "改" in (await office.client.get(f"/bulletin/{path}")).text


async def test_what_another_process_published_is_seen_as_soon_as_the_mark_is_old(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "FRESH", 0.0)
    id_ = await office.published()
    await office.client.get("/bulletin/")
    monkeypatch.setattr(Runtime, "appended", lambda *_: None)  # this process hears nothing of it
    await office.act(id_, "correct", "spokesperson", {"text": TEXT + "改", "reason": "写错"})
    assert TEXT + "改" in (await office.client.get("/bulletin/")).text


async def test_it_keeps_a_bounded_number(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 2)
    for visit in range(5):
        await office.client.get(f"/bulletin/?visit={visit}")
    assert len(office.runtime.part(kept.Kept)._pages) <= 2


async def test_it_keeps_a_bounded_number_of_bytes(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    page = await office.client.get("/bulletin/")
    monkeypatch.setattr(kept, "BYTES", 3 * len(page.content))
    pages = office.runtime.part(kept.Kept)._pages
    for visit in range(9):
        await office.client.get(f"/bulletin/?visit={visit}")
    assert ("/bulletin/", b"visit=8") in pages
    assert sum(len(one.body) for one in pages.values()) <= kept.BYTES


async def test_an_address_with_another_path_is_another_page(office: Office) -> None:
    id_ = await office.published()
    assert (await office.client.get(f"/bulletin/statements/{id_}?x=1?")).status_code == 200
    assert (await office.client.get(f"/bulletin/statements/{id_}%3Fx=1")).status_code == 404
