"""What leaves the service by itself: publications whose instant has come, and messages to webhooks."""
