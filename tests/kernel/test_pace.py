"""A client that finds no broker looks at a steady pace."""

import time
from typing import Any, cast

import pytest

from services.kernel.delivery.log import pace


@pytest.mark.parametrize("found", [False, True], ids=["nobody answers", "nobody leads"])
async def test_a_client_waits_between_two_looks(found: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        looks = 0

        async def _metadata_update(self, cluster: Any, topics: Any) -> bool:
            self.looks += 1
            return found

    for name in ("FIRST", "LONGEST"):
        monkeypatch.setattr(pace, name, getattr(pace, name) / 10)
    client = Client()
    pace.keep_pace(cast(Any, client))
    began = time.monotonic()
    assert await client._metadata_update(None, []) is found
    assert time.monotonic() - began < pace.FIRST, "the first look is at once"
    for _ in range(9):
        assert await client._metadata_update(None, []) is found
    wanted = 9 * pace.FIRST if found else (0.02 + 0.04 + 0.08 + 6 * pace.LONGEST)
    assert client.looks == 10 and wanted <= time.monotonic() - began < 3 * wanted + 0.5
