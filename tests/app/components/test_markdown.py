import re
import string

from hypothesis import given
from hypothesis import strategies as st

from app.components.markdown import literal

# What the word joiner keeps apart after the backslashes are gone: addresses, shortcodes, arrows.
LATE = re.compile(r"https?://|www\.|\S@\w|:\w+:|(?<!\S)(?:<-|->|<->|--|>=|<=|~=)(?!\S)", re.IGNORECASE)


def unescaped(markdown: str) -> str:
    return re.sub(rf"\\([{re.escape(string.punctuation)}])", r"\1", markdown)


@given(st.text())
def test_no_punctuation_of_the_text_is_left_to_mean_something(text: str) -> None:
    inside = literal(text)[1:-1]
    assert not re.search(rf"(?<!\\)(?:\\\\)*[{re.escape(string.punctuation.replace(chr(92), ''))}]", inside)
    assert not LATE.search(unescaped(inside))


@given(st.text(alphabet=st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))))
def test_the_text_reads_as_it_was_typed(text: str) -> None:
    assert unescaped(literal(text)[1:-1]).replace("\N{WORD JOINER}", "") == text


@given(st.text())
def test_it_stays_on_its_line_and_in_its_direction(text: str) -> None:
    found = literal(text)
    assert found.startswith("\N{FIRST STRONG ISOLATE}")
    assert found.endswith("\N{POP DIRECTIONAL ISOLATE}")
    assert not re.search(r"[\x00-\x1f\u2028\u2029\u202a-\u202e\u2066-\u2069]", found[1:-1])
