-- A role for each service, which owns its database and may enter no other. The passwords are variables of psql. Another
-- run only changes passwords.
\set ON_ERROR_STOP on
SELECT format('CREATE ROLE huiying_%s LOGIN', name)
  FROM unnest(array['ingest', 'triage', 'escalation', 'publish', 'audit', 'console']) AS name
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'huiying_' || name) \gexec
SELECT format('ALTER DATABASE huiying_%1$s OWNER TO huiying_%1$s', name),
       format('REVOKE CONNECT, TEMPORARY ON DATABASE huiying_%s FROM PUBLIC', name)
  FROM unnest(array['ingest', 'triage', 'escalation', 'publish', 'audit', 'console']) AS name \gexec
ALTER ROLE huiying_ingest PASSWORD :'ingest';
ALTER ROLE huiying_triage PASSWORD :'triage';
ALTER ROLE huiying_escalation PASSWORD :'escalation';
ALTER ROLE huiying_publish PASSWORD :'publish';
ALTER ROLE huiying_audit PASSWORD :'audit';
ALTER ROLE huiying_console PASSWORD :'console';
