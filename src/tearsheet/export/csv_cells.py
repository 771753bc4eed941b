"""Texts in CSV cells that a spreadsheet shows instead of computing them."""

import re
import unicodedata

#: Characters that start a formula in a spreadsheet, full-width forms included.
_FORMULA_STARTS = "=+-@\uff1d\uff0b\uff0d\uff20"
_LINES = re.compile(r"\s*[\r\n\v\f\x85\u2028\u2029]+\s*")
#: Fast path: most texts need no escaping.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ,._:/+#%()-]*")
#: In locales with decimal commas spreadsheets split lines at `;` and tab, even within quotes.
_INSIDE = re.compile(rf"([;\t][\s\"']*)([{re.escape(_FORMULA_STARTS)}])")


def escape_formula(text: str) -> str:
    """Return a text on one line, with an apostrophe in front if a spreadsheet would compute it."""
    if _PLAIN.fullmatch(text):
        return text
    line = _INSIDE.sub(r"\1'\2", _LINES.sub(" / ", text))
    first = next((sign for sign in line if unicodedata.category(sign)[0] not in "CZ"), "")
    is_formula = line[:1] == "\t" or (first != "" and first in _FORMULA_STARTS)
    return f"'{line}" if is_formula else line
