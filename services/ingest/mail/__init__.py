"""Mails of a unit's mailbox become reports (ADR 65).

Nobody's name or address is stored. A sender's address stays in memory until one automatic reply has the receipt.
"""
