"""The matters of the record: what each was at any time on both axes, the words in it, their list and its export."""
