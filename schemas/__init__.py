"""The shared vocabulary: events and the policy pack as frozen models.

JSON Schema, AsyncAPI and examples come from it.
"""
