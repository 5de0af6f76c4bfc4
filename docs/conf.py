"""The documents as a site: `make site`."""

project = "Huiying 回应"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = project
language = "en"
myst_heading_anchors = 4
exclude_patterns = ["conf.py"]
# Documents lead to files of the repository, too, which are no pages.
suppress_warnings = ["myst.xref_missing"]
