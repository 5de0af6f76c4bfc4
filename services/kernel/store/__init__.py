"""One SQL database for each service: its tables, and how events, words and read models are stored there."""
