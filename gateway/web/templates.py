"""The markup of the pages: Jinja2 templates, which escape whatever is put into them.

A template is given values and returns markup. What is undefined in it is a fault, and not an empty place.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gateway.text import two_digits
from gateway.web.wording import alarm_name, clock, number, quantity

_ENVIRONMENT = Environment(
    loader=PackageLoader("gateway.web", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_ENVIRONMENT.filters |= {"clock": clock, "quantity": quantity, "query": lambda text: quote(str(text), safe="")}
_ENVIRONMENT.filters["confidence"] = two_digits
_ENVIRONMENT.globals |= {"number": number, "alarm_name": alarm_name}
_ENVIRONMENT.globals["icon"] = vars(_ENVIRONMENT.get_template("icons.html").module)["icon"]


def render(template: str, /, **values: Any) -> Markup:
    """`template` with these values, as markup. Raises `jinja2.TemplateError` for a fault in it."""
    return Markup(_ENVIRONMENT.get_template(template).render(values))
