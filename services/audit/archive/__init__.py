"""What leaves audit as a package: the sealed archive of a matter, and its masked record for outside supervision."""
