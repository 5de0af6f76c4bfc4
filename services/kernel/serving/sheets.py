"""Tables as CSV for office programs."""

KIND = "text/csv; charset=utf-8"
BOM = "\ufeff"
"""Office programs take a file for UTF-8 by it."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is a formula for office programs."""


def plain(cell: str) -> str:
    """A cell that no office program takes for a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
