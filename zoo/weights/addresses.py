"""Where a file may be fetched from: https alone, at the address itself and wherever that leads."""

import ssl
import urllib.parse
import urllib.request
from typing import Any

from zoo.errors import UsageError

SCHEMES = ("https",)  # tests add http, for a server of their own


def check_address(url: str) -> None:
    """Raise unless the address is one that may be fetched from."""
    try:
        parts = urllib.parse.urlsplit(in_ascii(url))
        parts.port  # noqa: B018  raises where it is no number
    except ValueError:  # a host that is no name, a port that is no number
        raise UsageError(f"the address is {url!r}; expected https://host/file") from None
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise UsageError(f"the address is {redacted(url)!r}; expected https://..., which nobody on the way can change")
    if "@" in parts.netloc:
        raise UsageError(
            f"the address {redacted(url)!r} comes with a password; expected an address that is open to all"
        )


def in_ascii(url: str) -> str:
    """An address as it goes over the network: other letters in the name of its host and in its path are encoded.

    >>> in_ascii("https://b\u00fccher.example/gr\u00f6\u00dfe.h5")
    'https://xn--bcher-kva.example/gr%C3%B6%C3%9Fe.h5'
    """
    parts = urllib.parse.urlsplit(url)
    host = (parts.hostname or "").encode("idna").decode() if not (parts.hostname or "").isascii() else None
    netloc = parts.netloc if host is None else host + (f":{parts.port}" if parts.port else "")
    quoted = [urllib.parse.quote(part, safe="/%:=&?~#+!$,;'@()*[]") for part in (parts.path, parts.query)]
    return urllib.parse.urlunsplit((parts.scheme, netloc, *quoted, ""))


def redacted(url: str) -> str:
    """An address without passwords and keys, for messages."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follow a server only to where one may go by oneself."""

    max_redirections = 5

    def redirect_request(self, request: Any, *rest: Any) -> urllib.request.Request | None:
        check_address(rest[-1])  # the new address
        return super().redirect_request(request, *rest)


def opener() -> urllib.request.OpenerDirector:
    """What opens an address, through the system's proxies: only the schemes allowed, so neither files nor ftp."""
    director = urllib.request.OpenerDirector()
    handlers = [
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        Redirects(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
    ]
    if "http" in SCHEMES:
        handlers.append(urllib.request.HTTPHandler())
    for handler in handlers:
        director.add_handler(handler)
    return director
