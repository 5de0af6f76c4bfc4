"""Words are masked when they are sealed, whatever their field and service."""

from pathlib import Path

import pytest

from schemas.fields import Typed
from schemas.ingest import ReportRefused
from services.kernel.settings import ROOT
from services.kernel.store.session import Session
from tests.kit import small, spec, stores

PERSONAL = "请联系13812345678或 someone@example.com"
MASKED = "请联系[手机号]或 [电子邮箱]"
OFFICE = "请拨打0731-85011234"


@pytest.mark.parametrize(("typed", "kept"), [(PERSONAL, MASKED), ("路灯不亮", "路灯不亮")])
async def test_words_are_stored_without_personal_numbers(tmp_path: Path, typed: str, kept: str) -> None:
    assert await _sealed(tmp_path, Typed(text=typed)) == kept


async def test_what_was_masked_before_is_taken_as_it_is(tmp_path: Path) -> None:
    assert await _sealed(tmp_path, Typed(text="4111111111111111", masked=True)) == "4111111111111111"


def test_only_a_report_s_words_and_addresses_of_offices_are_not_masked_here() -> None:
    """A report counts its masked places; a masked address would lead nowhere. All other text is masked here."""
    sources = {path for path in (ROOT / "services").rglob("*.py") if "masked=True" in path.read_text()}
    assert {str(path.relative_to(ROOT)) for path in sources} == {
        "services/ingest/decider.py",
        "services/publish/delivering/channels.py",
        "services/publish/delivering/deliveries.py",
    }


async def _sealed(folder: Path, words: Typed) -> str:
    async with stores.runtime(small.ingest(), folder, "sqlite") as made:
        ctx = spec.ctx()
        async with made.database.transaction() as connection:
            session = Session(made.service, made.settings, connection, ctx.now)
            stream = f"report-{spec.UUID}"
            session.begin(stream)
            session.append(stream, [ReportRefused(reason=words)], ctx)
            await session.flush()
        ((_, _, text),) = await stores.rows(made, "contents", "ref", "salt", "words")
    return str(text)
