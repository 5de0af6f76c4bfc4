"""Who works on a matter: assigned, planned, approved, and whom it waits for."""
