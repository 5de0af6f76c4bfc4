"""The two languages of the form's pages: `python -m services.ingest.form.words` brings the English up to date."""

from pathlib import Path

from services.kernel import languages

CATALOGUE = languages.Catalogue(Path(__file__).parent, "form")
TAGS = {"zh": "zh-Hans", "en": "en"}

if __name__ == "__main__":
    print(*CATALOGUE.renew(), sep="\n")
