"""What goes between deployments: signed messages with the proof of their event, and signed receipts."""
