"""The public form of a unit, and the page that tells by a receipt where a report stands. Nobody signs in.

The pages work without script. They ask for no name, number or address of a person. Whose browser it was is in no
log, no table and no event.
"""
