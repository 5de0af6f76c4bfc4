"""The two languages of the bulletin's own words. Statements stay in the language in which the office spoke."""

from pathlib import Path

from services.kernel import languages

N_, is_chinese = languages.N_, languages.is_chinese
CATALOGUE = languages.Catalogue(Path(__file__).parent, "bulletin")
translations = CATALOGUE.translations
TAGS = {"zh": "zh-Hans", "en": "en"}
"""The tags of the languages (BCP 47)."""
