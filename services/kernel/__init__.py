"""What the five services share. It knows none of them.

Each room may import from the rooms named before it: `core`, `masking`, `rules`, `store`, `access`, `delivery`, `proof`,
`serving`. Every room may use the modules beside them: settings, files, metrics, logging, tasks and failpoints.
"""
