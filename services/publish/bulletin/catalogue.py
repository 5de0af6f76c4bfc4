"""Brings the catalogue of the bulletin's English up to date: `python -m services.publish.bulletin.catalogue`.

It prints the texts whose English is missing. A test fails as long as there is one.
"""

from services.publish.bulletin.words import CATALOGUE

if __name__ == "__main__":
    print(*CATALOGUE.renew(), sep="\n")
