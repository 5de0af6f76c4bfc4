"""The probe: it asks the deployment's public addresses from outside, as a reader does, and tells what it saw.

It is a program of its own, may run elsewhere, and knows no service. `looking` asks, `comparing` judges what was
answered, `judging` decides when a fault is an outage, `memory` keeps both in a file, and `loop` joins them.
"""
