"""Brings the catalogue of the console's English up to date: `python -m services.console.catalogue`.

It prints the texts whose English is missing. A test fails as long as there is one.
"""

from services.console.words import CATALOGUE

if __name__ == "__main__":
    print(*CATALOGUE.renew(), sep="\n")
