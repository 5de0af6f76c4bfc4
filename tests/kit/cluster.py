"""Three Kafka brokers of one cluster, each a controller too, as `deploy/compose.three.yaml` has them."""

import contextlib
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from deploy.native import LOOPBACK, Kafka, free_port
from tests.kit import substrate

REPLICAS = 3
ALL = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
}


class Brokers(NamedTuple):
    """The brokers, and where clients reach them."""

    all: Sequence[Kafka]
    address: str

    def start(self) -> None:
        """Starts those that do not run, together: one alone has no quorum, so it would not answer."""
        with ThreadPoolExecutor(REPLICAS) as side_by_side:
            list(side_by_side.map(Kafka.start, self.all))


@contextlib.contextmanager
def brokers(folder: Path, advertised: Sequence[str] = ()) -> Iterator[Brokers]:
    """Three brokers that run. `advertised` are addresses through which clients go, one for each broker."""
    ports, controllers = ([free_port() for _ in range(REPLICAS)] for _ in range(2))
    cluster = "H" + "".join(random.choices("abcdefghijklmnop", k=21))
    made = []
    for number, (port, controller) in enumerate(zip(ports, controllers, strict=True)):
        config = {
            **substrate.SESSIONS,
            **ALL,
            "node.id": str(number + 1),
            "listeners": f"BROKER://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller}",
            "controller.quorum.voters": ",".join(f"{n + 1}@{LOOPBACK}:{at}" for n, at in enumerate(controllers)),
        }
        if advertised:
            config["advertised.listeners"] = f"BROKER://{advertised[number]}"
        made.append(Kafka(folder / f"broker{number + 1}", port, config, {}, cluster=cluster))
    found = Brokers(made, ",".join(advertised or [one.address for one in made]))
    try:
        found.start()
        yield found
    finally:
        for one in made:
            one.kill()
