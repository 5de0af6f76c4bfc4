"""A pack tried before it takes effect: on cases, on single matters, and on those of the record. Nothing is recorded."""
