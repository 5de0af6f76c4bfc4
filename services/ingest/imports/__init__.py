"""Files of reports, as hotlines and message boards export them: CSV, XLSX or lines of JSON.

`mapping` says which column becomes which field, `codec` and `sheets` turn a file into rows, `run` takes the rows in,
and `imports_api` takes the requests.
"""
