"""Reports that come as CloudEvents 1.0: `codec` turns an event into a report, `events_api` takes requests, and `topic`
reads a topic of another system.
"""
