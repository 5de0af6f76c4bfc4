"""Named places at which a test kills the process.

`HUIYING_FAILPOINT=relay.acked` kills at the first pass, `relay.acked:3` at the third. With `HUIYING_FAILPOINT_WHEN`,
passes count only while that file exists, so that a process can start first. Without these variables a failpoint costs
one comparison. The process dies by `kill -9`, as in a crash: nothing is flushed or closed. With
`HUIYING_FAILPOINT_SIGNAL=STOP` it freezes instead, until it gets SIGCONT.
"""

import functools
import itertools
import os
import signal
from pathlib import Path

_passes = itertools.count(1)


@functools.cache
def _chosen() -> tuple[str, int, str]:
    # Read late, not at import: a fork gets its environment later.
    name, _, count = os.environ.get("HUIYING_FAILPOINT", "").partition(":")
    return name, int(count or 1), os.environ.get("HUIYING_FAILPOINT_WHEN", "")


def failpoint(name: str) -> None:
    """Kills this process here if the environment asks for it."""
    chosen, count, when = _chosen()
    if name != chosen or (when and not Path(when).exists()):
        return
    if next(_passes) == count:
        os.kill(os.getpid(), signal.Signals[f"SIG{os.environ.get('HUIYING_FAILPOINT_SIGNAL', 'KILL')}"])
