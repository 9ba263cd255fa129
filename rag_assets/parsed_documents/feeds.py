"""RSS and Atom feeds: a heading for the feed, one for each entry, and the text of the entries."""

from collections.abc import Callable
from dataclasses import dataclass
from xml.etree import ElementTree

_ATOM = "{http://www.w3.org/2005/Atom}"
_CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"


@dataclass(frozen=True)
class Feed:
    """A feed: its title and Markdown text."""

    title: str | None
    text: str


def read_feed(xml: str, html_to_markdown: Callable[[str], str]) -> Feed | None:
    """Read a feed.

    Args:
        xml: the document.
        html_to_markdown: converts the contents of entries.

    Returns:
        The feed, or ``None`` when the document is other XML.
    """
    if "<rss" not in xml[:2000] and "<feed" not in xml[:2000]:
        return None
    try:
        root = ElementTree.fromstring(xml.encode())
    except (ElementTree.ParseError, ValueError):
        return None
    channel = root.find("channel") if root.tag == "rss" else root
    if channel is None or root.tag not in ("rss", _ATOM + "feed"):
        return None
    entries = channel.findall("item") or channel.findall(_ATOM + "entry")
    title = _first(channel, "title")
    parts = [f"# {title}"] if title else []
    parts += [_first(channel, "description", "subtitle") or ""]
    for entry in entries:
        parts.append(f"## {_first(entry, 'title') or 'Entry'}")
        parts.append(_first(entry, "pubDate", "published", "updated") or "")
        body = entry.findtext(_CONTENT) or _first(entry, "description", "content", "summary") or ""
        parts.append(html_to_markdown(body).strip() if "<" in body else body)
    return Feed(title, "\n\n".join(part for part in parts if part) + "\n")


def _first(element: ElementTree.Element, *names: str) -> str | None:
    """The text of the first child with one of these names, in RSS or Atom."""
    for name in names:
        for tag in (name, _ATOM + name):
            child = element.find(tag)
            if child is not None and (text := "".join(child.itertext()).strip()):
                return text
    return None
