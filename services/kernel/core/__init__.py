"""What decisions are made of. It stands on the standard library and on `schemas` alone."""
