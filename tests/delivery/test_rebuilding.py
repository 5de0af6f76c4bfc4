"""`huiying replay audit` beside a system that works. Killed before the exchange, it changes nothing."""

import signal
import threading

import pytest

from tests.delivery.load import History, post_until
from tests.kit import programs
from tests.kit.stack import CLI, DeployedWorld, EmbeddedWorld, until

pytestmark = pytest.mark.timeout(240)


def test_audit_is_built_anew_while_reports_come_in(world: EmbeddedWorld | DeployedWorld) -> None:
    world.integration().close()
    history, done = History(), threading.Event()
    thread = threading.Thread(target=post_until, args=(world, history, done, 0.05))
    thread.start()
    try:
        killed = programs.run(
            CLI, "replay", "audit", env=world.environment | {"HUIYING_FAILPOINT": "beside.before_commit"}, timeout=120
        )
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        before = len(history.answered)
        until(lambda: len(history.answered) > before, "reports go on")
        built = world.run("replay", "audit")
        assert built.returncode == 0, built.stderr
        assert "the new tables are in place" in built.stdout
        before = len(history.answered)
        until(lambda: len(history.answered) > before, "reports go on")
    finally:
        done.set()
        thread.join()
    for report_id in history.answered:
        until(lambda id_=report_id: world.incident(id_), f"{report_id} has a matter")
    world.check()
