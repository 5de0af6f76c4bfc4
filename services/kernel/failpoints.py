"""Named places at which a test kills the process: `HUIYING_FAILPOINT=relay.acked`, or `relay.acked:3`: the third pass.

With `HUIYING_FAILPOINT_WHEN` passes count only while that file exists, so that a process can come up first. Without the
variables a failpoint costs one comparison. `kill -9` is what a crash is: nothing is flushed or closed.
"""

import os
import signal
from pathlib import Path

_name, _, _count = os.environ.get("HUIYING_FAILPOINT", "").partition(":")
_when = os.environ.get("HUIYING_FAILPOINT_WHEN", "")
_left = [int(_count or 1)]


def failpoint(name: str) -> None:
    """Kills this process here if the environment says so."""
    if name != _name or (_when and not Path(_when).exists()):
        return
    _left[0] -= 1
    if _left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
