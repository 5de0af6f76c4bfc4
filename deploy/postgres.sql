-- One database for each service, so that no service can read another's tables.
CREATE DATABASE huiying_ingest;
CREATE DATABASE huiying_triage;
CREATE DATABASE huiying_escalation;
CREATE DATABASE huiying_publish;
CREATE DATABASE huiying_audit;
CREATE DATABASE huiying_console;
