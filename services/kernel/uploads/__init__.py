"""Files that people send: read within limits, told by their content, drawn or written anew, kept in a folder.

Until a service knows what to keep, a file has no name on disk and vanishes with the process. Codecs read whatever was
sent, so pictures (`redraw`) and documents (`rewrite`) pass through programs of their own, apart from the service.
"""
