"""The console is the desk in a browser. It owns no matter and decides nothing.

It keeps the accounts of staff and their sessions, signs the tokens with which they act, and calls the public APIs of
the five services. What a person may do is what a service's answer says.
"""
