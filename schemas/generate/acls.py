"""The rights of each service on the brokers, as a script: who owns a topic writes it, and nobody else does."""

from collections.abc import Iterable, Mapping
from typing import Any

from schemas import catalogue

HEAD = """\
#!/bin/sh
# Gives each service its rights on the brokers. Who owns a topic writes it, and nobody else does.
# `python -m schemas.generate` writes this file from what the services own and read.
#
#   deploy/kafka/acls.sh --bootstrap-server kafka:9092 --command-config administrator.properties
#
# The brokers need an authorizer that refuses what no rule allows, and a user for each service, with SCRAM:
# huiying-ingest and so on. huiying-operator reads everything, for `huiying check`. HUIYING_PREFIX is the prefix of the
# deployment's topics and of its users, `huiying` by default; KAFKA_ACLS is the tool of the Kafka distribution. Another
# run changes nothing. A right that a later version no longer needs stays until `kafka-acls.sh --remove` takes it away.
set -eu
prefix=${HUIYING_PREFIX:-huiying}
grant() {
  user=$1
  shift
  "${KAFKA_ACLS:-kafka-acls.sh}" $connection --add --allow-principal "User:$prefix-$user" "$@" >/dev/null
}
connection=$*

"""

FOREIGN = """\
# A topic of another system, from which ingest reads CloudEvents, has a name without the prefix.
if [ -n "${HUIYING_CLOUDEVENTS_TOPIC:-}" ]; then
  grant ingest --operation Read --operation Describe --topic "$HUIYING_CLOUDEVENTS_TOPIC"
fi
"""


def script(services: Mapping[str, Any]) -> bytes:
    """`services` are the joined `Service` objects by name."""
    lines = [HEAD]
    for name, service in services.items():
        owned = (*catalogue.event_topics(name), catalogue.content_topic(name))
        read = sorted({*service.topics, *service.content_topics}.difference(owned))
        # The producers of a service share an id, by which the brokers refuse one that was replaced.
        ids = (f'--group "$prefix.{name}"', f'--transactional-id "$prefix.{name}"')
        lines.append(_grant(name, "--producer --consumer", *ids, *_topics(owned)))
        lines.append(_grant(name, "--consumer", ids[0], *_topics(read)))
    everything = ("--resource-pattern-type prefixed", '--topic "$prefix."')
    lines.append(_grant("operator", "--operation Read --operation Describe", *everything))
    lines.append("# Whoever starts first makes the topics that it reads, too.\n")
    others = (f'--allow-principal "User:$prefix-{name}"' for name in list(services)[1:])
    lines.append(_grant(next(iter(services)), "--operation Create", *everything, *others))
    lines.append(FOREIGN)
    return "".join(lines).encode()


def _topics(names: Iterable[str]) -> list[str]:
    return [f'--topic "$prefix.{name}"' for name in names]


def _grant(user: str, *words: str) -> str:
    return " \\\n  ".join((f"grant {user} {words[0]}", *words[1:])) + "\n"
