"""Statistics: numbers about matters and offices, each with its formula, for any period, on both axes."""
