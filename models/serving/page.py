"""The page: one document without requests to other machines, which its policy forbids."""

import secrets
from collections.abc import Mapping

from models.reporting import jinja_templates
from models.serving.answers import MAX_BYTES
from pipeline.datasets.description import Description

POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
TEMPLATES = jinja_templates.beside(__file__)


def render(description: Description, name: str, warning: str = "") -> tuple[str, Mapping[str, str]]:
    """The page's HTML and its headers, of a run's data set and the run's name; a `warning` stands above all."""
    nonce = secrets.token_urlsafe(16)
    html = TEMPLATES.get_template("page.html.jinja").render(
        dataset=description.dataset,
        counts=description.classes.counts,
        image_size=description.image_size,
        max_mib=MAX_BYTES >> 20,
        max_bytes=MAX_BYTES,
        name=name,
        nonce=nonce,
        warning=warning,
    )
    return html, {**HEADERS, "Content-Security-Policy": POLICY.format(nonce=nonce)}
