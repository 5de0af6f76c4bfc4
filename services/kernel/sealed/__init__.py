"""What leaves the deployment and is checked without it: events with proofs, exports, sealed archives.

The readers trust no name, size or order in a file. Trust comes from the caller, as public keys and as checkpoints that
the caller saw before. A form has one way to be written, so that no bit of a file is without meaning.
"""
