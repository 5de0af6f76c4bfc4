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

grant ingest --producer --consumer \
  --group "$prefix.ingest" \
  --transactional-id "$prefix.ingest" \
  --topic "$prefix.ingest.report" \
  --topic "$prefix.ingest.outage" \
  --topic "$prefix.ingest.message" \
  --topic "$prefix.ingest.operation" \
  --topic "$prefix.ingest.words" \
  --topic "$prefix.ingest.content"
grant ingest --consumer \
  --group "$prefix.ingest" \
  --topic "$prefix.audit.checkpoint" \
  --topic "$prefix.escalation.clock" \
  --topic "$prefix.escalation.content" \
  --topic "$prefix.escalation.words" \
  --topic "$prefix.publish.operation" \
  --topic "$prefix.publish.statement" \
  --topic "$prefix.triage.incident" \
  --topic "$prefix.triage.policy" \
  --topic "$prefix.triage.unit"
grant triage --producer --consumer \
  --group "$prefix.triage" \
  --transactional-id "$prefix.triage" \
  --topic "$prefix.triage.incident" \
  --topic "$prefix.triage.policy" \
  --topic "$prefix.triage.unit" \
  --topic "$prefix.triage.operation" \
  --topic "$prefix.triage.words" \
  --topic "$prefix.triage.content"
grant triage --consumer \
  --group "$prefix.triage" \
  --topic "$prefix.audit.checkpoint" \
  --topic "$prefix.audit.delivery" \
  --topic "$prefix.escalation.clock" \
  --topic "$prefix.escalation.roster" \
  --topic "$prefix.ingest.content" \
  --topic "$prefix.ingest.message" \
  --topic "$prefix.ingest.report" \
  --topic "$prefix.publish.operation" \
  --topic "$prefix.publish.statement"
grant escalation --producer --consumer \
  --group "$prefix.escalation" \
  --transactional-id "$prefix.escalation" \
  --topic "$prefix.escalation.clock" \
  --topic "$prefix.escalation.roster" \
  --topic "$prefix.escalation.surge" \
  --topic "$prefix.escalation.post" \
  --topic "$prefix.escalation.operation" \
  --topic "$prefix.escalation.words" \
  --topic "$prefix.escalation.content"
grant escalation --consumer \
  --group "$prefix.escalation" \
  --topic "$prefix.audit.checkpoint" \
  --topic "$prefix.publish.operation" \
  --topic "$prefix.publish.press" \
  --topic "$prefix.publish.statement" \
  --topic "$prefix.triage.incident" \
  --topic "$prefix.triage.policy" \
  --topic "$prefix.triage.unit"
grant publish --producer --consumer \
  --group "$prefix.publish" \
  --transactional-id "$prefix.publish" \
  --topic "$prefix.publish.statement" \
  --topic "$prefix.publish.press" \
  --topic "$prefix.publish.channel" \
  --topic "$prefix.publish.operation" \
  --topic "$prefix.publish.words" \
  --topic "$prefix.publish.content"
grant publish --consumer \
  --group "$prefix.publish" \
  --topic "$prefix.audit.checkpoint" \
  --topic "$prefix.escalation.clock" \
  --topic "$prefix.ingest.report" \
  --topic "$prefix.triage.content" \
  --topic "$prefix.triage.incident" \
  --topic "$prefix.triage.policy" \
  --topic "$prefix.triage.unit" \
  --topic "$prefix.triage.words"
grant audit --producer --consumer \
  --group "$prefix.audit" \
  --transactional-id "$prefix.audit" \
  --topic "$prefix.audit.finding" \
  --topic "$prefix.audit.review" \
  --topic "$prefix.audit.inspection" \
  --topic "$prefix.audit.referral" \
  --topic "$prefix.audit.drill" \
  --topic "$prefix.audit.training" \
  --topic "$prefix.audit.delivery" \
  --topic "$prefix.audit.log" \
  --topic "$prefix.audit.checkpoint" \
  --topic "$prefix.audit.operation" \
  --topic "$prefix.audit.words" \
  --topic "$prefix.audit.content"
grant audit --consumer \
  --group "$prefix.audit" \
  --topic "$prefix.escalation.clock" \
  --topic "$prefix.escalation.content" \
  --topic "$prefix.escalation.operation" \
  --topic "$prefix.escalation.post" \
  --topic "$prefix.escalation.roster" \
  --topic "$prefix.escalation.surge" \
  --topic "$prefix.escalation.words" \
  --topic "$prefix.ingest.content" \
  --topic "$prefix.ingest.message" \
  --topic "$prefix.ingest.operation" \
  --topic "$prefix.ingest.outage" \
  --topic "$prefix.ingest.report" \
  --topic "$prefix.ingest.words" \
  --topic "$prefix.publish.channel" \
  --topic "$prefix.publish.content" \
  --topic "$prefix.publish.operation" \
  --topic "$prefix.publish.press" \
  --topic "$prefix.publish.statement" \
  --topic "$prefix.publish.words" \
  --topic "$prefix.triage.content" \
  --topic "$prefix.triage.incident" \
  --topic "$prefix.triage.operation" \
  --topic "$prefix.triage.policy" \
  --topic "$prefix.triage.unit" \
  --topic "$prefix.triage.words"
grant operator --operation Read --operation Describe \
  --resource-pattern-type prefixed \
  --topic "$prefix."
# Whoever starts first makes the topics that it reads, too.
grant ingest --operation Create \
  --resource-pattern-type prefixed \
  --topic "$prefix." \
  --allow-principal "User:$prefix-triage" \
  --allow-principal "User:$prefix-escalation" \
  --allow-principal "User:$prefix-publish" \
  --allow-principal "User:$prefix-audit"
# A topic of another system, from which ingest reads CloudEvents, has a name without the prefix.
if [ -n "${HUIYING_CLOUDEVENTS_TOPIC:-}" ]; then
  grant ingest --operation Read --operation Describe --topic "$HUIYING_CLOUDEVENTS_TOPIC"
fi
