"""Named places at which a test kills the process: `HUIYING_FAILPOINT=relay.acked`, or `relay.acked:3`: the third pass.

With `HUIYING_FAILPOINT_WHEN` passes count only while that file exists, so that a process can come up first. Without the
variables a failpoint costs one comparison. `kill -9` is what a crash is: nothing is flushed or closed.
"""

import functools
import itertools
import os
import signal
from pathlib import Path

_passes = itertools.count(1)


@functools.cache
def _chosen() -> tuple[str, int, str]:
    # Not when it is imported: a fork gets its environment later.
    name, _, count = os.environ.get("HUIYING_FAILPOINT", "").partition(":")
    return name, int(count or 1), os.environ.get("HUIYING_FAILPOINT_WHEN", "")


def failpoint(name: str) -> None:
    """Kills this process here if the environment says so."""
    chosen, count, when = _chosen()
    if name != chosen or (when and not Path(when).exists()):
        return
    if next(_passes) == count:
        os.kill(os.getpid(), signal.SIGKILL)
