"""Reports that come as CloudEvents 1.0 over HTTP: `codec` turns an event into a report, `events_api` takes requests."""
