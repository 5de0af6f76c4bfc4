"""`huiying status`: what the services answer, in words, and whether somebody must do something."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from services.apps import status
from services.apps.status import Answered, Told, in_words, lasting, lines
from services.kernel.settings import Settings

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
WELL = {
    "leader_since": NOW.timestamp() - 7_500,
    "lag_records": 0,
    "committed_seconds offsets": 9_000,
    "outbox_oldest_seconds": 0,
    "attention dead_letters": 0,
    "attention parked": 0,
    "parked_oldest_seconds": 0,
    "clock_skew_seconds": 0.1,
}


def told(service: str, state: Any = None, **figures: float) -> Told:
    """A service that is well but for these figures. Their names have two underscores before a kind."""
    known = WELL | {name.replace("__", " "): value for name, value in figures.items()}
    shown = {}
    for name, value in known.items():
        metric, _, kind = name.partition(" ")
        shown[f"huiying_{metric}", f"{service} {kind}".strip()] = value
    states = {"audit": {}, service: {"dead_letters": 0, "parked": 0} if state is None else state}
    return in_words(service, Answered("http://x", states, shown), NOW)


def test_what_is_well_needs_nobody_and_says_so() -> None:
    one = told("triage")
    assert (one.todo, one.up, one.ready) == ([], True, True)
    assert list(lines([one])) == [
        "triage: takes commands; leads since 2026-03-02 06:55 UTC (2 h 5 min); nothing waits",
        "All is well.",
    ]
    audit = told(
        "audit",
        checkpoint_size__kept=4210,
        checkpoint_seconds__kept=40,
        log_unsigned=3,
        checkpoint_size__cosigned=4210,
        backup_seconds=3_600,
    )
    assert audit.todo == []
    assert "; ".join(audit.says[3:]) == (
        "the newest checkpoint covers 4,210 events and is 40 s old; witnesses cosigned it; the newest backup is 1 h old"
    )
    offices = told("escalation", limits_overdue=2, limits_overdue_oldest_seconds=200_000, duty_gaps__not_planned=1)
    assert offices.todo == [], "what offices miss is no fault of the deployment"
    assert offices.says[3:] == ["2 limits overdue, the first for 2 d 7 h", "1 desk without anybody on duty"]


@pytest.mark.parametrize(
    ("service", "figures", "said"),
    [
        ("triage", {"lag_records": 5, "committed_seconds__offsets": 400}, "taken nothing in for 6 min 40 s"),
        ("triage", {"lag_records": float("nan")}, "nobody knows the lag"),
        ("triage", {"outbox_oldest_seconds": 90}, "look at the brokers"),
        ("triage", {"attention__dead_letters": 1}, "huiying redrive --list --service triage"),
        ("triage", {"attention__parked": 1, "parked_oldest_seconds": 900}, "huiying resend --stream"),
        ("triage", {"clock_skew_seconds": -3}, "3.0 s off"),
        ("triage", {"leader_since": 0}, "does not lead"),
        ("escalation", {"timers_late_seconds": 600}, "10 min late"),
        ("escalation", {"undelivered__given_up": 2}, "2 messages given up"),
        ("audit", {"log_unsigned": 7, "checkpoint_seconds__kept": 4_000}, "huiying check"),
        ("audit", {"log_unsigned": 7, "checkpoint_seconds__kept": float("inf")}, "huiying check"),
        ("audit", {"checkpoint_size__kept": 7}, "nobody watches over backups"),
        ("audit", {"backup_seconds": float("inf")}, "no backup"),
        ("audit", {"backup_seconds": 400_000}, "backup is old"),
        ("audit", {"backup_seconds": 40, "backup_lacks__parts": 2}, "lacks 2 parts"),
        ("audit", {"backup_seconds": 40, "backup_lacks__encryption": 1}, "not encrypted"),
    ],
)
def test_what_needs_somebody_says_what_to_do(service: str, figures: dict[str, float], said: str) -> None:
    (sentence,) = told(service, **figures).todo
    assert said in sentence


def test_the_console_of_a_deployment_is_asked_too() -> None:
    async def answer(address: str, name: str = "") -> Answered:
        return Answered(f"{address} {name}")

    settings = Settings(database="postgresql+psycopg://x/{service}", kafka="x:1")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(status, "_ask", answer)
        found = asyncio.run(status.asked(settings))
    assert found["console"].address == "http://127.0.0.1:8400 console" and len(found) == 6
    well = in_words("console", Answered("http://x", {"console": {}}), NOW)
    assert (well.todo, well.says) == ([], ["people can sign in"])
    (sentence,) = in_words("console", Answered("http://x", {"console": "its database does not answer"}), NOW).todo
    assert sentence == "its database does not answer"
    assert "nobody answers for console" in in_words("console", Answered("http://x", error="x"), NOW).todo[0]


def test_the_services_own_words_are_passed_on() -> None:
    assert told("triage", "the topics were lost").todo == ["the topics were lost"]
    assert told("triage", {"alarms": ["the log is not signed"]}).todo == ["the log is not signed"]
    silent = in_words("triage", Answered("http://x", error="ConnectError"), NOW)
    assert not silent.up and "http://x (ConnectError)" in silent.todo[0]
    wrong = in_words("triage", Answered("http://x", {"audit": {}}), NOW)
    assert "another service answers there: audit" in wrong.todo[0]
    assert list(lines([silent]))[-1] == "1 thing to look into, marked with !"
    assert [lasting(seconds) for seconds in (0.2, 61, 90_000, float("inf"))] == [
        "0 s",
        "1 min 1 s",
        "1 d 1 h",
        "an unknown time",
    ]
