"""One SQL database a service: events, words, read models, and the tables that hold them."""
