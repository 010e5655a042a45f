"""Pages from templates: what they can call, and numbers, times and keys as people read them."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from warehouse_assets.keys import AssetKey
from warehouse_assets.quantities import byte_text, count_text, seconds_text
from warehouse_assets.web.addresses import joined_keys, key_path
from warehouse_assets.web.files import STATIC
from warehouse_assets.web.views.cron_text import cron_text

if TYPE_CHECKING:
    from fastapi import Request

    from warehouse_assets.web.site import Site

__all__ = ["asset_url", "is_fragment", "render", "site_of", "sparkline", "static_version", "templates", "url"]

HERE = Path(__file__).parent


def site_of(request: Request) -> Site:
    """The site that a request is to."""
    site: Site = request.app.state.site
    return site


def is_fragment(request: Request) -> bool:
    """Whether a part of a page is asked for, by a page that is open."""
    return request.headers.get("hx-request") == "true"


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page, or a part of one, from a template; `area` says which entry of the navigation it belongs to."""
    site = site_of(request)
    known = {
        "request": request,
        "site": site,
        "settings": site.settings,
        "csrf": request.scope.get("csrf", ""),
        "after": request.scope.get("after", ""),
        "area": "",
        **values,
    }
    return HTMLResponse(templates().get_template(template).render(known), status)


@functools.cache
def templates() -> Environment:
    """The templates, where all text is escaped and an unknown name is an error."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {
        "ago": ago,
        "bytes": lambda value: _exact(byte_text(value), f"{value:,} bytes") if value is not None else "",
        "clock": _clock,
        "count": count_text,
        "crons": cron_text,
        "duration": lambda value: "" if value is None else seconds_text(value),
        "iso": _iso,
        "number": number,
        "sparkline": sparkline,
        "when": when,
    }
    environment.filters |= filters
    environment.globals |= {"asset_url": asset_url, "joined_keys": joined_keys, "static": static, "url": url}
    return environment


def asset_url(key: AssetKey, **query: Any) -> str:
    """The address of an asset's page.

    >>> asset_url(AssetKey(["shop", "a/b"]), tab="activity")
    '/assets/shop/a%2Fb?tab=activity'
    """
    return url(f"/assets/{key_path(key)}", **query)


def url(path: str, **query: Any) -> str:
    """An address with the parts of its query that are given.

    >>> url("/runs", status=["FAILURE"], cursor=None)
    '/runs?status=FAILURE'
    """
    given = urlencode({name: value for name, value in query.items() if value not in (None, "", [])}, doseq=True)
    return f"{path}?{given}" if given else path


def static(name: str) -> str:
    """The address of a file of the server, which changes with what is in it."""
    return f"/static/{name}?v={static_version()}"


@functools.cache
def static_version() -> str:
    """What all static files hash to."""
    digest = hashlib.blake2b(digest_size=6)
    for file in sorted(STATIC.rglob("*")):
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()


def ago(timestamp: float | None) -> Markup:
    """A moment as how long it is ago, which the page keeps true; exact on hover."""
    if timestamp is None:
        return Markup("")
    moment = datetime.fromtimestamp(timestamp, UTC)
    exact = moment.strftime("%Y-%m-%d %H:%M:%S UTC")
    return Markup('<time datetime="{}" title="{}" data-ago>{}</time>').format(
        moment.isoformat(timespec="milliseconds"), exact, _since(time.time() - timestamp)
    )


def when(timestamp: float | None) -> Markup:
    """A moment as date and time to the second; the page shows it in the reader's zone."""
    if timestamp is None:
        return Markup("")
    moment = datetime.fromtimestamp(timestamp, UTC)
    return Markup('<time datetime="{}" data-local>{}</time>').format(
        moment.isoformat(timespec="milliseconds"), moment.strftime("%Y-%m-%d %H:%M:%S")
    )


def number(value: Any) -> Markup:
    """A number short enough to read at a glance, exact on hover.

    >>> str(number(12_345_678))
    '<span title="12,345,678">12.3 M</span>'
    """
    if value is None:
        return Markup("")
    if isinstance(value, float):
        return _exact(f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}", repr(value))
    for limit, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M")):
        if abs(value) >= limit:
            return _exact(f"{value / limit:.1f} {unit}", f"{value:,}")
    return Markup("{}").format(f"{value:,}")


def sparkline(values: Sequence[float]) -> Markup:
    """Numbers as a small line, of which the last is a dot; nothing for fewer than two."""
    if len(values) < 2:
        return Markup("")
    low, high = min(values), max(values)
    span = (high - low) or 1
    points = [
        (2 + 80 * at / (len(values) - 1), 16 - 14 * (value - low) / span if high > low else 9.0)
        for at, value in enumerate(values)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    told = f"rows: {', '.join(f'{value:,}' for value in values)}"
    return Markup(
        '<svg viewBox="0 0 84 18" role="img" aria-label="{}"><title>{}</title><polyline points="{}"/><circle cx="{:.1f}" cy="{:.1f}" r="2"/></svg>'
    ).format(told, told, line, *points[-1])


def _clock(timestamp: float) -> str:
    """The time of a moment, to the millisecond, in UTC."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%H:%M:%S.%f")[:-3]


def _iso(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds")


def _exact(short: str, exact: str) -> Markup:
    return Markup('<span title="{}">{}</span>').format(exact, short)


def _since(seconds: float) -> str:
    """How long ago, or in how long, in the largest unit and the next one.

    >>> _since(3648), _since(-90)
    ('1 h ago', 'in 1 min 30 s')
    """
    left, parts = int(abs(seconds)), list[str]()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
        if parts and (not count or len(parts) == 2):
            break
    text = " ".join(parts) or "0 s"
    return f"in {text}" if seconds < -1 else f"{text} ago"
