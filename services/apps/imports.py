"""Sends a file of reports to the intake, shows how far it is, and writes the rows that were refused."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from services.apps.client import Refused, api
from services.kernel.serving.refused import tables
from services.kernel.settings import Settings

PART = 262_144
PATH = "/ingest/v1/imports"
AGAIN = "run the same command again: what was taken in is not doubled"
NOTES = ("refused line", "refused because")


class Sending(NamedTuple):
    """What is sent, and where to."""

    file: Path
    mapping: str
    """The name of a shipped mapping, or a file with one."""
    unit: str | None
    source: str | None
    dry_run: bool
    key: str
    address: str | None
    """Without it, the running server of the data folder, or the deployment of the settings."""

    def own_mapping(self) -> bytes | None:
        """The text of a mapping in a file; None if a shipped one is named."""
        path = Path(self.mapping)
        return path.read_bytes() if path.suffix in (".yaml", ".yml") or path.is_file() else None


Tell = Callable[[int, int], None]


async def send(settings: Settings, sending: Sending, tell: Tell, took: Callable[[int], None]) -> list[dict[str, Any]]:
    """The lines of the answer, without those of progress.

    `tell` gets how many bytes of how many were sent, `took` how many rows were taken in, as far as was heard.

    Raises `Refused` if the file was refused as a whole, or if the connection broke.
    """
    query = {"unit": sending.unit, "source": sending.source, "dry_run": sending.dry_run or None}
    asked: dict[str, Any] = {name: value for name, value in query.items() if value is not None}
    own = sending.own_mapping()
    lines: list[dict[str, Any]] = []
    with sending.file.open("rb") as file:
        size = sending.file.stat().st_size
        headers = {"Authorization": f"Bearer {sending.key}"}
        body: dict[str, Any]
        if own is not None:
            body = {"files": {"mapping": ("mapping.yaml", own), "file": ("file", _Told(file, size, tell))}}
        else:
            asked["mapping"] = sending.mapping
            body = {"content": _parts(file, size, tell)}
        try:
            async with (
                _client(settings, sending.address) as client,
                client.stream("POST", PATH, params=asked, headers=headers, timeout=None, **body) as answer,
            ):
                if answer.status_code != httpx.codes.OK:
                    raise Refused(_why(await answer.aread(), answer.status_code))
                async for line in answer.aiter_lines():
                    said = json.loads(line)
                    if "progress" in said:
                        took(said["progress"]["rows"])
                    else:
                        lines.append(said)
        except (httpx.TransportError, json.JSONDecodeError) as error:
            raise Refused(f"the connection broke off ({type(error).__name__} {error}); {AGAIN}") from None
    if not lines or "ended" not in lines[-1]:
        raise Refused(f"the answer broke off; {AGAIN}")
    return lines


@asynccontextmanager
async def _client(settings: Settings, address: str | None) -> AsyncIterator[httpx.AsyncClient]:
    if address is None:
        async with api(settings, "ingest") as client:
            yield client
    else:
        async with httpx.AsyncClient(base_url=address) as client:
            yield client


def _why(body: bytes, status: int) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{PATH} answered {status}"


async def _parts(file: Any, size: int, tell: Tell) -> AsyncIterator[bytes]:
    while part := file.read(PART):
        yield part
        tell(file.tell(), size)


class _Told:
    """A file whose reading is told."""

    def __init__(self, file: Any, size: int, tell: Tell) -> None:
        self._file, self._size, self._tell = file, size, tell

    def read(self, size: int = -1) -> bytes:
        part: bytes = self._file.read(size)
        self._tell(self._file.tell(), self._size)
        return part

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def fileno(self) -> int:
        return int(self._file.fileno())


def write_refused(lines: list[dict[str, Any]], to: Path) -> int:
    """Writes the refused rows as CSV, in UTF-8 as spreadsheet programs expect it, and returns their number.

    It can be corrected and sent with the same mapping. Existing content is replaced.
    """
    refused = [(line["refused"], line["refused"]["problem"]["detail"]) for line in lines if "refused" in line]
    to.write_bytes("".join(text for _, text in tables(lines[0]["began"], refused, NOTES)).encode())
    return len(refused)
