"""A choice that lives in the address, so that a view can be shared and bookmarked, and in the session meanwhile.

The address is read when a page is opened, by link or by hand, and when the reader goes back or forward; it is written
whenever the choice changes. Between two clicks the browser's own copy may be older than the choice.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

Parameters = dict[str, list[str]]

_PAGE: Final = "address.page"
_VISIT: Final = "address.visit"


def visiting(page: str) -> None:
    """For every run of the whole app: which page it opens."""
    if st.session_state.get(_PAGE) != page:
        st.session_state[_PAGE] = page
        st.session_state[_VISIT] = st.session_state.get(_VISIT, 0) + 1


@dataclass(frozen=True)
class Address:
    """The parameters of these names, and where the session keeps them."""

    state: str
    names: Sequence[str]

    def parameters(self, default_view: Callable[[], str | None]) -> Parameters:
        """What is chosen: from the address where the page was just opened, or else from the session.

        A page opened without a choice in its address keeps the one of the last visit; without that, the viewer's
        default view is taken.
        """
        kept: dict[str, Any] = st.session_state.setdefault(self.state, {"visit": None, "chosen": None})
        context = get_script_run_ctx()
        went_back = context is not None and context.is_history_navigation
        visit = st.session_state.get(_VISIT, 0)
        if kept["visit"] != visit or went_back:
            address = {name: values for name in self.names if (values := st.query_params.get_all(name))}
            if address or went_back:
                kept["chosen"] = address
            elif kept["chosen"] is None:
                kept["chosen"] = self.parsed(default_view() or "")
            kept["visit"] = visit
            self._publish(kept["chosen"])
        return dict(kept["chosen"])

    def choose(self, **changed: Sequence[str]) -> None:
        """For a callback: changes these parameters, in the session and in the address; an empty one goes."""
        now: Parameters = {name: values for name, values in self.now().items() if name not in changed}
        self._replace(now | {name: list(values) for name, values in changed.items() if values})

    def choose_query(self, query: str) -> None:
        """For a callback: makes what stands after an address's question mark the choice."""
        self._replace(self.parsed(query))

    def clear(self) -> None:
        """For a callback: back to the default of everything."""
        self._replace({})

    def query(self, *without: str) -> str:
        """The choice as it stands after an address's question mark."""
        now = self.now()
        return urlencode([(name, value) for name in self.names if name not in without for value in now.get(name, ())])

    def parsed(self, query: str) -> Parameters:
        """The parameters in what stands after an address's question mark."""
        return {name: values for name, values in parse_qs(query).items() if name in self.names}

    def now(self) -> Parameters:
        """The choice as it is."""
        return dict(st.session_state[self.state]["chosen"])

    def _replace(self, chosen: Parameters) -> None:
        st.session_state[self.state]["chosen"] = chosen
        self._publish(chosen)

    def _publish(self, chosen: Mapping[str, Sequence[str]]) -> None:
        others = {name: st.query_params.get_all(name) for name in st.query_params if name not in self.names}
        wanted = others | {name: list(chosen[name]) for name in self.names if chosen.get(name)}
        if wanted != {name: st.query_params.get_all(name) for name in st.query_params}:
            st.query_params.from_dict(wanted)


@dataclass
class Reading:
    """The parameters, read one by one; what is unknown becomes a sentence and is left out."""

    parameters: Mapping[str, Sequence[str]]
    ignored: list[str] = field(default_factory=list)

    def all(self, name: str, known: Iterable[str], what: str) -> list[str]:
        """The parameter's values that are known, each once."""
        given = list(dict.fromkeys(self.parameters.get(name, ())))
        offered = set(known)
        if unknown := [value for value in given if value not in offered]:
            shown = ", ".join(value[:60] for value in unknown[:3]) + (" …" if len(unknown) > 3 else "")
            self.ignored.append(f"The address names {what} that you don't have here: {shown}. It was left out.")
        return [value for value in given if value in offered]

    def one(self, name: str, read: Callable[[str], Any], what: str) -> Any:
        """What is read of the parameter's last value; None where there is none, or none that can be read."""
        given = list(self.parameters.get(name, ()))
        if not given:
            return None
        try:
            return read(given[-1])
        except (KeyError, ValueError, ArithmeticError):
            self.ignored.append(f"The address has {what} that can't be read: {given[-1][:60]}. It was left out.")
            return None
