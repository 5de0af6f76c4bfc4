#!/bin/sh
# Makes the users of the services on the brokers, and gives them their rights. Another run changes passwords as they
# stand in deploy/.env, and nothing else.
set -eu
tools=${KAFKA_TOOLS:-/opt/kafka/bin}
prefix=${HUIYING_PREFIX:-huiying}
for user in ingest triage escalation publish audit operator; do
  eval "password=\$$user"
  "$tools/kafka-configs.sh" --bootstrap-server "$1" --alter --entity-type users --entity-name "$prefix-$user" \
    --add-config "SCRAM-SHA-512=[password=$password]"
done
KAFKA_ACLS="$tools/kafka-acls.sh" HUIYING_PREFIX="$prefix" sh "$(dirname "$0")/acls.sh" --bootstrap-server "$1"
