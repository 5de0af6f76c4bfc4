"""A matter of another deployment is real, so it never becomes an exercise here."""

from types import SimpleNamespace
from typing import Any

import pytest

from services.ingest.messages import receiving
from services.kernel.core.problems import Rejected
from tests.kernel.between import test_message as written


async def test_an_office_for_exercises_takes_no_matter_of_another_deployment() -> None:
    asked: Any = SimpleNamespace(
        known=lambda: None, units={"exercises": object()}, drills=lambda code: code == "exercises"
    )
    ctx: Any = SimpleNamespace(offices=asked, now=None)
    nothing: Any = None
    peer = written.PEER.model_copy(update={"takes": "exercises"})
    with pytest.raises(Rejected, match="an office for exercises") as raised:
        await receiving._opened(nothing, nothing, ctx, written.MESSAGE, peer)
    assert raised.value.code == "peer-takes-exercises"
