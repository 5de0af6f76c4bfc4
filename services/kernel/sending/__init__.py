"""What leaves by itself for addresses that people named: signed messages, and the loop of those who send them."""
