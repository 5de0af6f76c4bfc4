"""What `huiying export` writes from a log is what `huiying verify` proves. The log here is its API alone."""

from collections.abc import Callable
from pathlib import Path

import httpx
import orjson
import pytest

from schemas.envelope import Event
from services.apps import client, export
from services.kernel.sealed import matter, record
from services.kernel.tlog import Refused, tree
from services.kernel.tlog.tiles import Tile
from tests.kernel.sealed.small import ONE, small
from tests.kit.logs import Log

Asked = Callable[[httpx.Request], httpx.Response]


def serving(log: Log, size: int, shown: list[Event] | None = None) -> Asked:
    """The API of audit that has this log, with a checkpoint of `size`; its timeline holds `shown`."""
    events = list(log.events) if shown is None else shown
    rows = tree.grown(0, {}, log.leaves)

    def answer(request: httpx.Request) -> httpx.Response:
        path, asked = request.url.path, request.url.params
        if path == "/audit/v1/log/checkpoint":
            return httpx.Response(200, content=log.checkpoint(size)) if size else httpx.Response(404)
        if path.startswith("/audit/v1/log/tile/"):
            return httpx.Response(200, content=Tile.parse(path.removeprefix("/audit/v1/log/")).content(rows))
        assert asked["log_size"] == str(size)
        found = [(at, event) for at, event in enumerate(events[:size])]
        items = [event.attributes for _, event in found]
        if path == f"/audit/v1/incidents/incident-{ONE}/timeline":
            mine = [(at, event) for at, event in found if event.stream == f"incident-{ONE}"]
            items = [{"position": at, "event": event.attributes} for at, event in reversed(mine)]
        first, limit = int(asked.get("cursor", 0)), int(asked["limit"])
        next_ = str(first + limit) if first + limit < len(items) else None
        return httpx.Response(200, content=orjson.dumps({"items": items[first : first + limit], "next": next_}))

    return answer


def _files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def written(answer: Asked, to: Path, incident: str | None = None) -> export.Written:
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://audit") as audit:
        if incident is None:
            return await export.write_record(audit, "token", to)
        return await export.write_matter(audit, "token", incident, to)


@pytest.mark.parametrize(("count", "size"), [(7, 7), (600, 600), (600, 515), (1, 1), (70_000 // 100, 512)])
async def test_what_is_written_is_proven(
    count: int, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PAGE", 100)
    log = small(count)
    answer = serving(log, size)
    whole = await written(answer, tmp_path / "record")
    part = await written(answer, tmp_path / "matter", f"incident-{ONE}")
    with (tmp_path / "record").open("rb") as file:
        assert record.verify(file, log.trust()).checkpoint.size == whole.size == whole.events == size
    with (tmp_path / "matter").open("rb") as file:
        assert matter.verify(file, log.trust()).events == part.events == (size + 1) // 2
    assert sorted(path.name for path in _files(tmp_path)) == ["matter", "record"]


async def test_an_altered_row_of_the_timeline_is_named(tmp_path: Path) -> None:
    """The hashes come from the log and not from the events."""
    log = small(600)
    forged = orjson.dumps({**log.events[300].attributes, "actor": "chief@county"})
    shown = [*log.events[:300], Event.parse(forged), *log.events[301:]]
    await written(serving(log, 600, shown), tmp_path / "record")
    with (tmp_path / "record").open("rb") as file, pytest.raises(Refused, match="position 300: "):
        record.verify(file, log.trust())
    await written(serving(log, 600, shown), tmp_path / "matter", f"incident-{ONE}")
    with (tmp_path / "matter").open("rb") as file, pytest.raises(Refused, match="position 300: "):
        matter.verify(file, log.trust())
    await written(serving(log, 600, log.events[:500]), tmp_path / "record")  # type: ignore[arg-type]
    with (tmp_path / "record").open("rb") as file, pytest.raises(Refused, match="position 500: "):
        record.verify(file, log.trust())


async def test_nothing_is_written_before_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(client.Refused, match="signed no checkpoint yet"):
        await written(serving(small(3), 0), tmp_path / "record")
    assert _files(tmp_path) == []
