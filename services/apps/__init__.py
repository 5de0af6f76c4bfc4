"""The programs: the command line, everything in one process, one service on PostgreSQL and Kafka, operations.

Only the programs know every service.
"""
