"""Writes the dashboards beside it: `python deploy/grafana/dashboards.py`. Grafana reads only the JSON files."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "dashboards"
SOURCE = {"type": "prometheus", "uid": "huiying"}
WIDE, HIGH = 24, 8
"""Columns of a dashboard, and the height of a panel."""
GOOD, WARN, BAD = "green", "orange", "red"
Asked = Sequence[tuple[str, str]]
"""Expressions, each with its legend."""


def panel(kind: str, title: str, asked: Asked, unit: str = "short", **more: Any) -> dict[str, Any]:
    """A panel. `limits` are the values from which it is a warning, and bad; `about` says what to look for."""
    steps: list[dict[str, Any]] = [{"color": GOOD, "value": None}]
    for color, value in zip((WARN, BAD), more.get("limits", ()), strict=False):
        if value is not None:
            steps.append({"color": color, "value": value})
    defaults = {"unit": unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}}
    if "words" in more:
        defaults["mappings"] = [{"type": "value", "options": more["words"]}]
    return {
        "type": kind,
        "title": title,
        "description": more.get("about", ""),
        "datasource": SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "background"} if kind == "stat" else {},
        "targets": [
            {"refId": chr(65 + index), "expr": expr, "legendFormat": legend, "datasource": SOURCE}
            for index, (expr, legend) in enumerate(asked)
        ],
        "width": more.get("width", 8),
    }


def stat(title: str, expr: str, unit: str = "short", **more: Any) -> dict[str, Any]:
    """One figure for each service, coloured by its limits."""
    return panel("stat", title, [(expr, "{{service}}")], unit, **more)


def lines(title: str, expr: str, unit: str = "short", legend: str = "{{service}}", **more: Any) -> dict[str, Any]:
    """A figure over time."""
    return panel("timeseries", title, [(expr, legend)], unit, **more)


def board(uid: str, title: str, panels: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A dashboard, its panels one after the other from left to right."""
    placed, x, y = [], 0, 0
    for number, one in enumerate(panels, 1):
        width = one.pop("width")
        if x + width > WIDE:
            x, y = 0, y + HIGH
        placed.append({"id": number, "gridPos": {"x": x, "y": y, "w": width, "h": HIGH}, **one})
        x += width
    return {
        "uid": f"huiying-{uid}",
        "title": title,
        "tags": ["huiying"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "links": [{"type": "dashboards", "tags": ["huiying"], "title": "Huiying", "asDropdown": True}],
        "panels": placed,
    }


YES_NO = {"0": {"text": "no", "color": BAD}, "1": {"text": "yes", "color": GOOD}}

BOARDS = {
    "deployment": board(
        "deployment",
        "Huiying: deployment at a glance",
        [
            stat("Takes commands", 'min by (service) (huiying_ready{part="api"})', words=YES_NO),
            panel(
                "stat", "Answers", [('min by (instance) (up{job="huiying"})', "{{instance}}")], words=YES_NO, width=16
            ),
            stat("Alarms", "max by (service) (huiying_alarms)", limits=(None, 1), about="/readyz says each in words."),
            stat("Set aside", 'max by (service) (huiying_attention{kind="dead_letters"})', limits=(None, 1)),
            stat("Parked streams", 'max by (service) (huiying_attention{kind="parked"})', limits=(1, 10)),
            lines("Records that wait to be taken in", "sum by (service) (huiying_lag_records)"),
            lines("First record waits for the event log", "max by (service) (huiying_outbox_oldest_seconds)", "s"),
            lines("First stream waits", "max by (service) (huiying_parked_oldest_seconds)", "s"),
            stat("Led for", 'time() - max by (service) (huiying_leader_since{part="api"} > 0)', "s"),
            lines(
                "Clock of the database less the machine's",
                "max by (instance) (huiying_clock_skew_seconds)",
                "s",
                "{{instance}}",
            ),
            lines(
                "Answers that fail",
                'sum by (service, status) (rate(huiying_request_seconds_count{status=~"5.."}[5m]))',
                "reqps",
                "{{service}} {{status}}",
            ),
        ],
    ),
    "delivery": board(
        "delivery",
        "Huiying: delivery by service",
        [
            lines("Events committed", "sum by (service) (rate(huiying_events_appended_total[5m]))", "eps"),
            lines(
                "Records that the event log took", "sum by (service) (rate(huiying_records_relayed_total[5m]))", "eps"
            ),
            lines("Events taken in", "sum by (service) (rate(huiying_events_taken_total[5m]))", "eps"),
            lines(
                "Lag by topic",
                "sum by (service, topic) (huiying_lag_records)",
                legend="{{service}} {{topic}}",
                width=12,
            ),
            lines(
                "Offsets stand still for", 'max by (service) (huiying_committed_seconds{kind="offsets"})', "s", width=12
            ),
            lines("Rows in the outbox", "max by (service) (huiying_outbox_rows)"),
            lines("Records that had come before", "sum by (service) (rate(huiying_events_duplicate_total[5m]))", "eps"),
            lines(
                "Parked and set aside",
                "sum by (service, reason) (increase(huiying_events_parked_total[5m])) or "
                "sum by (service, reason) (increase(huiying_dead_letters_total[5m]))",
                legend="{{service}} {{reason}}",
            ),
            lines(
                "Time to answer, 95 of 100",
                "histogram_quantile(0.95, sum by (service, le) (rate(huiying_request_seconds_bucket[5m])))",
                "s",
                width=12,
            ),
            lines(
                "Requests",
                "sum by (service, method) (rate(huiying_request_seconds_count[5m]))",
                "reqps",
                "{{service}} {{method}}",
                width=12,
            ),
        ],
    ),
    "offices": board(
        "offices",
        "Huiying: offices and the log",
        [
            stat("Limits overdue", "max by (service) (huiying_limits_overdue)", limits=(1, 100)),
            stat(
                "The first since", "max by (service) (huiying_limits_overdue_oldest_seconds)", "s", limits=(3600, 86400)
            ),
            stat("Timers late", "max by (service) (huiying_timers_late_seconds)", "s", limits=(30, 60)),
            lines("Limits overdue", "max by (service) (huiying_limits_overdue)"),
            lines("Desks without anybody", "sum by (cause) (huiying_duty_gaps)", legend="{{cause}}"),
            lines(
                "Messages that nobody took",
                "max by (service, state) (huiying_undelivered)",
                legend="{{service}} {{state}}",
            ),
            lines(
                "Events below the newest checkpoint",
                "max by (service, kind) (huiying_checkpoint_size)",
                legend="{{service}} {{kind}}",
                about="Services that stand below audit are behind, or refuse it.",
            ),
            lines(
                "The newest checkpoint was signed",
                "max by (service, kind) (huiying_checkpoint_seconds)",
                "s",
                "{{service}} {{kind}}",
            ),
            stat("Events without a signature", "max by (service) (huiying_log_unsigned)", limits=(10_000, 100_000)),
            stat("Newest backup", "min by (service) (huiying_backup_seconds)", "s", limits=(86400, 172800)),
            lines(
                "Sign-ins refused",
                "sum by (status) (rate(huiying_sign_ins_failed_total[5m]))",
                legend="{{status}}",
                width=16,
            ),
        ],
    ),
}


def written(name: str) -> str:
    """The content of a dashboard's file."""
    return json.dumps(BOARDS[name], indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name in BOARDS:
        (FOLDER / f"{name}.json").write_text(written(name))
