"""The symbols of the page, drawn as lines and shapes so that each is told from the others without its colour."""

from __future__ import annotations

from gateway.web.html import Html, el

_SHAPES = {
    "red": '<path class="solid" d="M7.5 1.5h9l6 6v9l-6 6h-9l-6-6v-9z"/><path class="cut" d="M7.5 7.5l9 9m0-9l-9 9"/>',
    "green": '<circle class="solid" cx="12" cy="12" r="11"/><path class="cut" d="M6.5 12.5l4 4 7.5-8.5"/>',
    "amber": '<path class="solid" d="M2 8h7.5V2.5L22 12 9.5 21.5V16H2z"/>',
    "idle": '<circle class="line" cx="12" cy="12" r="10"/><path class="line" d="M7 12h10"/>',
    "offline": '<path class="line" d="M3 9a13 13 0 0 1 18 0M6.5 13a8 8 0 0 1 11 0M12 18v.01M3 21L21 3"/>',
    "warning": '<path class="solid" d="M12 1.5L23 21.5H1z"/><path class="cut" d="M12 8.5v6m0 3v.01"/>',
    "blocked": '<circle class="line" cx="12" cy="12" r="9.5"/><path class="line" d="M5.5 5.5l13 13"/>',
    "extra": '<path class="line" d="M12 3v18M3 12h18"/>',
    "undetermined": '<path class="line" d="M8 8.5a4 4 0 1 1 5.5 3.700c-1 .5-1.5 1.200-1.5 2.300M12 19.5v.01"/>',
    "missing": '<circle class="line dash" cx="12" cy="12" r="9.5"/>',
    "matched": '<path class="line" d="M3.5 12.5l6 6L21 5.5"/>',
    "returned": '<path class="line" d="M8.5 4L3.5 9l5 5M3.5 9H15a5.5 5.5 0 0 1 0 11h-4"/>',
    "waiting": '<circle class="line" cx="12" cy="12" r="9.5"/><path class="line" d="M12 6v6.5l4 2.5"/>',
    "last": '<path class="line" d="M6 2.5h9l4 4v15H6zM9.5 11h6m-6 4h6"/>',
}


def icon(name: str) -> Html:
    """The symbol `name`, for the eye only: the word beside it says the same."""
    return el("svg", Html(_SHAPES[name]), class_=f"icon icon-{name}", viewBox="0 0 24 24", aria_hidden="true")
