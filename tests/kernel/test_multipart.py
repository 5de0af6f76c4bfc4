"""A form that ends early leaves no temporary file open."""

import tempfile
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException

from services.kernel.core.problems import TooLarge
from services.kernel.uploads import multipart

HEADERS = Headers({"content-type": "multipart/form-data; boundary=b"})
BEGUN = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nsome bytes'


async def limited() -> AsyncIterator[bytes]:
    yield BEGUN
    raise TooLarge("the file has more than 9 bytes", limit=9)


async def damaged() -> AsyncIterator[bytes]:
    yield BEGUN + b"\r\n--b\r\nno header\r\n\r\n"


async def cut() -> AsyncIterator[bytes]:
    yield BEGUN


async def whole() -> AsyncIterator[bytes]:
    yield BEGUN + b"\r\n--b--\r\n"


@pytest.mark.parametrize(
    ("sent", "raises"),
    [(limited, TooLarge), (damaged, MultiPartException), (cut, MultiPartException), (whole, None)],
)
async def test_every_way_to_end_closes_the_files(sent: Any, raises: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def opened(*given: Any, **more: Any) -> Any:
        made.append(tempfile.SpooledTemporaryFile(*given, **more))  # noqa: SIM115
        return made[-1]

    monkeypatch.setattr("starlette.formparsers.SpooledTemporaryFile", opened)
    parser = multipart.Parser(HEADERS, sent())
    if raises is None:
        form = await parser.parse()
        assert await form["file"].read() == b"some bytes"  # type: ignore[union-attr]
        await form.close()
    else:
        with pytest.raises(raises):
            await parser.parse()
    assert [file.closed for file in made] == [True]
