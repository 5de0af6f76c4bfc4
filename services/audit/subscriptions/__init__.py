"""Events that go out by webhooks to who subscribed: `told` says what of an event, `sending` sends it in order."""
