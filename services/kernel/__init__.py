"""What the five services share: store, relay, log, unit of work, clock, identity, problems. It knows no service."""
