"""Alerts and dashboards name metrics that exist, and each alert has a case in which it fires and one in which not."""

import json
import re
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Histogram
from prometheus_client.metrics import MetricWrapperBase

from deploy import native
from deploy.grafana import dashboards
from services.kernel import metrics

DEPLOY = Path(__file__).parents[1] / "deploy"
RULES, CASES = DEPLOY / "prometheus" / "rules.yaml", DEPLOY / "prometheus" / "rules_test.yaml"
ALERTS: list[dict[str, Any]] = [one for group in yaml.safe_load(RULES.read_text())["groups"] for one in group["rules"]]
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))


def known() -> set[str]:
    """The names under which Prometheus has our metrics."""
    found = set()
    for one in vars(metrics).values():
        if isinstance(one, MetricWrapperBase):
            (family,) = one.describe()
            endings = {"counter": ("_total",), "histogram": ("_count", "_sum", "_bucket")}.get(family.type, ("",))
            found |= {f"{family.name}{ending}" for ending in endings}
    assert isinstance(metrics.REQUESTS, Histogram) and "huiying_request_seconds_bucket" in found
    return found


def named(text: str) -> set[str]:
    return set(re.findall(r"\bhuiying_\w+", text))


def test_rules_and_dashboards_name_metrics_that_exist() -> None:
    expressions = [one["expr"] for one in ALERTS]
    assert [file.stem for file in DASHBOARDS] == sorted(dashboards.BOARDS)
    for file in DASHBOARDS:
        assert file.read_text() == dashboards.written(file.stem), "run python deploy/grafana/dashboards.py"
        board = json.loads(file.read_text())
        assert board["uid"] == f"huiying-{file.stem}"
        expressions += [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    assert named("\n".join(expressions)) - known() == set()
    cases = [one["series"] for case in yaml.safe_load(CASES.read_text())["tests"] for one in case["input_series"]]
    assert named("\n".join(cases)) - known() == set()


def test_each_alert_says_what_to_do_and_has_a_case_in_which_it_fires_and_one_in_which_not() -> None:
    fires = defaultdict[str, set[bool]](set)
    for case in yaml.safe_load(CASES.read_text())["tests"]:
        for asked in case.get("promql_expr_test", ()):
            (alert,) = re.findall(r'alertname="(\w+)"', asked["expr"])
            fires[alert].add(bool(asked["exp_samples"]))
    assert fires == {one["alert"]: {True, False} for one in ALERTS}
    for one in ALERTS:
        heading = re.sub(r"(?<!^)(?=[A-Z])", "-", one["alert"]).lower()
        assert one["annotations"].keys() == {"summary", "description", "runbook_url"}
        assert one["annotations"]["runbook_url"] == f"docs/operate.md#{heading}"
        assert one["labels"]["severity"] in ("page", "ticket")


@pytest.mark.timeout(300)
def test_promtool_finds_the_rules_right() -> None:
    """Each case of `rules_test.yaml`, as Prometheus itself reckons; and the configuration."""
    promtool = str(native.promtool())
    for arguments in (("check", "config", str(RULES.with_name("prometheus.yaml"))), ("test", "rules", str(CASES))):
        done = subprocess.run([promtool, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
