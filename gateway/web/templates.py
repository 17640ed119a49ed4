"""The pages that are written as templates: Jinja2, which escapes whatever is put into them.

A template is given values and returns markup. What is undefined in it is a fault, and not an empty place.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.web.html import Html
from gateway.web.icons import icon
from gateway.web.wording import clock, number, quantity

_ENVIRONMENT = Environment(
    loader=PackageLoader("gateway.web", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_ENVIRONMENT.filters |= {"clock": clock, "quantity": quantity, "query": lambda text: quote(str(text), safe="")}
_ENVIRONMENT.globals |= {"icon": icon, "number": number}


def render(name: str, **values: Any) -> Html:
    """The template `name` with these values, as markup. Raises `jinja2.TemplateError` for a fault in it."""
    return Html(_ENVIRONMENT.get_template(name).render(values))
