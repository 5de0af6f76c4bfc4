"""What the five services share. It knows none of them; each room may import from those named before it here.

`core`, `masking`, `rules`, `store`, `access`, `delivery`, `proof`, `serving`. Beside them stands what every room may
use: settings, files, metrics, logging, tasks and failpoints.
"""
