"""How a reader checks that the office said something: keys, signed files, and the comparison with what circulates."""
