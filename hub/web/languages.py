"""The languages of the pages: gettext catalogues, of which English is the key. Read once; nothing is compiled."""

import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from aiohttp import web
from babel import negotiate_locale
from babel.messages.pofile import read_po

LOCALE = Path(__file__).resolve().parent / "locale"
LANGUAGES: Mapping[str, str] = MappingProxyType({"en": "English", "zh": "中文"})
"""code -> what its speakers call it"""
DEFAULT = "en"
COOKIE = "paranet_language"


def language_of(request: web.Request) -> str:
    """Return the language that was chosen, else the browser's best, else English."""
    chosen = request.cookies.get(COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    wanted = [part.split(";")[0].strip().replace("-", "_") for part in request.headers.get("Accept-Language", "").split(",")]
    return negotiate_locale([tag.split("_")[0] for tag in wanted if tag], list(LANGUAGES)) or DEFAULT


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Return what each English text is in *language*."""
    if language == DEFAULT:
        return MappingProxyType({})
    read = (
        message for path in sorted((LOCALE / language).glob("*.po")) for message in read_po(io.BytesIO(path.read_bytes()), locale=language)
    )
    return MappingProxyType({str(message.id): str(message.string) for message in read if message.id and message.string})
