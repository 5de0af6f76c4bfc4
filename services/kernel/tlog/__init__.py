"""The log of all events as a tree of hashes that strangers can check: RFC 6962, and the formats of C2SP.

Nothing here reads or writes anything: what is stored or sent comes in as an argument, and is believed by nobody.
"""


class Refused(ValueError):
    """Something that is no proof, no note, or does not hold. The sentence says what."""
