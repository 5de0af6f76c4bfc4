"""The offices: units, days, delegations, packs and lessons."""
