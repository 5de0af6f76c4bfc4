"""The figures of single services in `/metrics`: what is overdue, who is missing, what nobody took, what is signed."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Gauge
from sqlalchemy import Table, text

from schemas.fields import instant
from services.audit.app import SERVICE as AUDIT
from services.escalation.app import SERVICE as ESCALATION
from services.kernel import metrics
from services.kernel.delivery.runtime import Runtime, Service
from services.kernel.tlog.note import COSIGNATURE, Verifier
from services.publish.app import SERVICE as PUBLISH
from tests.kit import stores

BOTH = pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
WITNESS = Verifier("w.example", b"w" * 32, COSIGNATURE)


async def put(made: Runtime, table: Table, **row: Any) -> None:
    """A row, with anything in the columns that the test leaves out."""

    def any_(column: Any) -> Any:
        kind = column.type.python_type
        if kind is int and column.primary_key:
            return 1
        return b"" if kind is bytes else kind()

    filled = {str(c.name): None if c.nullable else any_(c) for c in table.columns if not c.identity}
    async with made.database.transaction() as connection:
        await connection.execute(table.insert().values(filled | row))


async def read(made: Runtime) -> Mapping[Gauge, float]:
    assert made.service.gauges is not None
    async with made.database.read() as connection:
        return await made.service.gauges(made, connection)


def shown(found: Mapping[Gauge, float], gauge: Gauge, service: Service, *labels: str) -> float:
    return found[gauge.labels(service.name, *labels)]


@BOTH
async def test_escalation_tells_what_is_overdue_who_is_missing_and_what_nobody_took(tmp_path: Path, kind: str) -> None:
    async with stores.runtime(ESCALATION, tmp_path, kind) as made:
        now = made.time_source.now()

        def at(hours: float) -> str:
            return instant(now + timedelta(hours=hours))

        clocks, gaps, roster = (made.tables[name] for name in ("clocks", "duty_gaps", "roster"))
        empty = await read(made)
        assert set(empty.values()) == {0}

        for name, row in {
            "missed": {"state": "breached", "due": at(-3)},
            "missed later": {"state": "breached", "due": at(-1), "wakes_at": at(1)},
            "missed in a matter that ended": {"state": "breached", "due": at(-9), "cancelled_at": at(-8)},
            "missed in an exercise": {"state": "breached", "due": at(-9), "drill": True},
            "met late": {"state": "met", "due": at(-9), "met_at": at(-8)},
            "running": {"state": "running", "due": at(2), "wakes_at": at(2)},
            "nobody saw it": {"state": "running", "due": at(-0.5), "wakes_at": at(-0.5)},
        }.items():
            await put(made, clocks, incident_id=name, clock="handle", **row)

        span = {"since": at(-1), "until": at(1)}
        found = {"found": at(-1), **span}
        await put(made, gaps, unit="nobody", cause="not_planned", **found)
        await put(made, gaps, unit="came after all", cause="not_planned", **found)
        await put(made, roster, unit="came after all", post="head@c", **span)
        await put(made, gaps, unit="ahead", cause="not_planned", found_ahead=at(-1), since=at(1), until=at(3))
        await put(made, gaps, unit="exercise", cause="not_planned", **found)
        await put(made, made.tables["units"], unit="exercise", drill=True)
        await put(made, gaps, unit="over", cause="not_planned", found=at(-5), since=at(-5), until=at(-3))
        for unit, by in {"asleep": None, "late": "officer@late"}.items():
            await put(made, gaps, unit=unit, cause="not_signed_on", post="officer", **found)
            await put(made, roster, unit=unit, post="officer", by=by, **span)

        for notice, sent, tried in (
            ("waits", -2, {"at": at(-0.2)}),
            ("moot", -9, {"at": at(-8)}),
            ("taken", -2, {"at": at(-0.2), "delivered": True}),
            ("given up", -25, {"at": at(-1), "over": True}),
            ("long ago", -99, {"at": at(-72), "over": True}),
        ):
            await put(made, made.tables["outgoing"], notice=notice, at=at(sent))
            await put(made, made.tables["attempts"], notice=notice, place="a", **{"over": False, **tried})

        values = await read(made)
        assert shown(values, metrics.OVERDUE, ESCALATION) == 2
        assert shown(values, metrics.OVERDUE_OLDEST, ESCALATION) == pytest.approx(3 * 3600, abs=60)
        assert shown(values, metrics.TIMERS_LATE, ESCALATION) == pytest.approx(1800, abs=60)
        assert shown(values, metrics.GAPS, ESCALATION, "not_planned") == 1
        assert shown(values, metrics.GAPS, ESCALATION, "not_signed_on") == 1
        assert shown(values, metrics.UNDELIVERED, ESCALATION, "waiting") == 1
        assert shown(values, metrics.UNDELIVERED, ESCALATION, "given_up") == 1
        if kind == "sqlite":
            async with made.database.read() as connection:
                asked = "explain query plan select count(*), min(due) from clocks where "
                plan = await connection.execute(text(asked + "state = 'breached' AND cancelled_at IS NULL"))
                assert "ix_clocks_missed" in str(plan.all()), "what was met or ended costs nothing"


@BOTH
async def test_publish_tells_which_releases_a_channel_did_not_take(tmp_path: Path, kind: str) -> None:
    async with stores.runtime(PUBLISH, tmp_path, kind) as made:
        now = made.time_source.now()
        lately, long_ago = instant(now), instant(now - timedelta(days=20))
        for channel, state in {"open": "open", "ended": "ended"}.items():
            await put(made, made.tables["channels"], id=channel, state=state, kind="webhook", placed_at=long_ago)
        await put(made, made.tables["channels"], id="site", state="open", kind="bulletin")
        for statement in ("new", "first", "waits", "gone", "old", "aside", "elsewhere", "replaced"):
            await put(made, made.tables["statements"], id=statement, release=2 if statement == "replaced" else 1)
        for statement, row in {
            "new": {"next_at": lately, "tries": 0},
            "waits": {"next_at": lately, "tries": 3},
            "replaced": {"next_at": lately, "tries": 3},
            "gone": {"tries": 9, "error": "refused"},
            "old": {"tries": 9, "error": "refused", "at": long_ago},
            "aside": {"tries": 3, "next_at": lately, "channel": "ended"},
            "elsewhere": {"tries": 3, "next_at": lately, "channel": "site"},
        }.items():
            whole = {"channel": "open", "at": lately, "release": 1, **row}
            await put(made, made.tables["deliveries"], statement_id=statement, **whole)
        values = await read(made)
        assert shown(values, metrics.UNDELIVERED, PUBLISH, "waiting") == 1
        assert shown(values, metrics.UNDELIVERED, PUBLISH, "given_up") == 1


@BOTH
async def test_audit_tells_how_far_the_log_is_signed_and_cosigned(tmp_path: Path, kind: str) -> None:
    async with stores.runtime(AUDIT, tmp_path, kind) as made:
        assert shown(await read(made), metrics.UNSIGNED, AUDIT) == 0
        assert math.isnan(shown(await read(made), metrics.CHECKPOINT_SIZE, AUDIT, "cosigned")), "there is no witness"
        now = made.time_source.now()
        for size, hours in ((5, 3), (9, 1)):
            signed = instant(now - timedelta(hours=hours))
            await put(made, made.tables["checkpoints"], size=size, at=signed)
        await put(made, made.tables["head"], size=12)
        await put(made, made.tables["cosignatures"], size=5, witness="w.example")
        await put(made, made.tables["cosignatures"], size=9, witness="one of earlier settings")
        for name, state, tries in (("fine", "active", 0), ("waits", "active", 2), ("disabled", "disabled", 9)):
            await put(made, made.tables["subscriptions"], id=name, state=state, run=1)
            await put(made, made.tables["subscription_progress"], id=name, run=1, tries=tries)
        new = {"witnesses": f"https://w.example {WITNESS.vkey}", "backups": tmp_path / "backups"}
        made.settings = made.settings.model_copy(update=new)
        assert shown(await read(made), metrics.BACKUP_AGE, AUDIT) == math.inf
        (folder := tmp_path / "backups" / "monday").mkdir(parents=True)
        at = datetime.now(UTC)
        (folder / "manifest.json").write_text(json.dumps({"made_at": instant(at)}))
        assert shown(await read(made), metrics.BACKUP_AGE, AUDIT) == math.inf, "nobody read it again"

        def last(hours: int, name: str = "monday") -> None:
            told = {"folder": name, "made_at": instant(at - timedelta(hours=hours)), "encrypted": False, "lacks": ["x"]}
            said = {made.settings.deployment: told, "another": told | {"made_at": instant(at), "lacks": []}}
            (tmp_path / "backups" / "last.json").write_text(json.dumps(said))

        for hours, name in ((-1, "monday"), (6, "gone")):
            last(hours, name)
            assert shown(await read(made), metrics.BACKUP_AGE, AUDIT) == math.inf, "still to come, or gone"
        (tmp_path / "backups" / "last.json").write_text(json.dumps({"another": {}}))
        assert shown(await read(made), metrics.BACKUP_AGE, AUDIT) == math.inf, "that of another deployment"
        last(6)
        values = await read(made)
        assert shown(values, metrics.BACKUP_LACKS, AUDIT, "parts") == 1
        assert shown(values, metrics.BACKUP_LACKS, AUDIT, "encryption") == 1
        assert shown(values, metrics.UNSIGNED, AUDIT) == 3
        assert shown(values, metrics.CHECKPOINT_SIZE, AUDIT, "cosigned") == 5
        assert shown(values, metrics.CHECKPOINT_AGE, AUDIT, "cosigned") == pytest.approx(3 * 3600, abs=60)
        assert shown(values, metrics.BACKUP_AGE, AUDIT) == pytest.approx(6 * 3600, abs=60)
        assert shown(values, metrics.UNDELIVERED, AUDIT, "waiting") == 1
        assert shown(values, metrics.UNDELIVERED, AUDIT, "given_up") == 1
