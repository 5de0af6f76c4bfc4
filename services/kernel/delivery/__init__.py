"""How events leave a service and reach another one: outbox, relay, event log, unit of work, recovery, repairs."""
