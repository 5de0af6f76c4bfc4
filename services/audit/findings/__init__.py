"""Findings against the office: rules over the record of a matter, and what auditors decide on what they propose.

Each finding has a stream of its own, whose id follows from what was found. So the same record gives the same findings,
however often and in whichever order it was read. They are about units and never about persons.
"""
