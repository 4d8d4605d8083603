"""Text that somebody typed, made safe for Streamlit's Markdown: labels, headings, captions, messages.

A company may be called `![x](http://…)`: unescaped, the reader's browser fetches that address. Cells of st.dataframe,
options of select boxes, st.text and st.code show text as it is and need none of this.
"""

import re
import string

_PUNCTUATION = str.maketrans({char: f"\\{char}" for char in string.punctuation})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# Streamlit looks for addresses, :shortcodes: and arrows once more after the backslashes are gone; a word joiner, which
# nobody sees, parts what it looks for.
_LATE = re.compile(r"(?<=[:@])(?=\S)|(?<=\bwww)(?=\.)|(?<=[<>~=-])(?=[<>=-])", re.IGNORECASE)
_ISOLATED = "\N{FIRST STRONG ISOLATE}{}\N{POP DIRECTIONAL ISOLATE}"
# An isolate that the text itself opens or closes would reach out of ours.
_BIDI = re.compile(r"[\u202a-\u202e\u2066-\u2069\u200e\u200f]")


def literal(text: object) -> str:
    """The text as Markdown that shows exactly it, on one line, whatever direction it runs in."""
    line = _BIDI.sub("", _CONTROL.sub(" ", str(text)))
    parted = _LATE.sub("\N{WORD JOINER}", line)
    return _ISOLATED.format(parted.translate(_PUNCTUATION))
