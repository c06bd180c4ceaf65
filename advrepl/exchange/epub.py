"""A story as an EPUB 3 book: the path that is read, a chapter for every fifty turns.

Follows the EPUB 3.3 recommendation of the W3C; epubcheck has nothing to say of what comes out.
"""

import io
import re
import uuid
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape

from advrepl.story.saves import Save
from advrepl.story.tree import Story, Turn

CHAPTER = 50  # turns
STYLE = "p{white-space:pre-wrap}p.user{font-style:italic;margin-left:1em}"
CONTAINER = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="book/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(save: Save) -> bytes:
    """Return the file."""
    turns = Story(save.turns, save.head).path_turns()
    chapters = [turns[at : at + CHAPTER] for at in range(0, len(turns), CHAPTER)]
    names = [f"turns {at * CHAPTER + 1} to {at * CHAPTER + len(told)}" for at, told in enumerate(chapters)]
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)  # first, and as it is
        book.writestr("META-INF/container.xml", CONTAINER)
        book.writestr("book/book.opf", _package(save, len(chapters)))
        book.writestr("book/nav.xhtml", _page(save, "Contents", _contents(names), 'epub:type="toc"'))
        for at, (name, told) in enumerate(zip(names, chapters, strict=True)):
            title = f"<h1>{_text(save.title or 'Story')}</h1>" if not at else f"<h2>{name}</h2>"
            book.writestr(f"book/{at}.xhtml", _page(save, name, title + "\n" + "\n".join(map(_paragraph, told))))
    return written.getvalue()


def _text(text: str) -> str:
    return escape(NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text))


def _paragraph(turn: Turn) -> str:
    return f'<p class="{turn.role}">{_text(turn.text)}</p>'


def _page(save: Save, title: str, body: str, nav: str = "") -> str:
    inside = f"<nav {nav}>{body}</nav>" if nav else body
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html>\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" '
        f'xml:lang="{_language(save)}"><head><title>{title}</title><style>{STYLE}</style></head>\n'
        f"<body>\n{inside}\n</body></html>\n"
    )


def _contents(names: list[str]) -> str:
    return "<ol>" + "".join(f'<li><a href="{at}.xhtml">{name}</a></li>' for at, name in enumerate(names)) + "</ol>"


def _language(save: Save) -> str:
    return _text(save.scenario.language or "und")


def _package(save: Save, chapters: int) -> str:
    number = uuid.uuid5(uuid.NAMESPACE_URL, f"{save.created} {save.title.encode('utf-8', 'replace').decode()}")
    spine = "".join(f'<itemref idref="c{at}"/>' for at in range(chapters))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<package version="3.0" unique-identifier="id" xmlns="http://www.idpf.org/2007/opf">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<dc:identifier id="id">urn:uuid:{number}</dc:identifier><dc:title>{_text(save.title or "Story")}</dc:title>'
        f"<dc:language>{_language(save)}</dc:language>"
        f'<meta property="dcterms:modified">{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}</meta></metadata>\n'
        f"<manifest>{''.join(_items(chapters))}</manifest>\n"
        f"<spine>{spine}</spine></package>\n"
    )


def _items(chapters: int) -> Iterator[str]:
    kind = 'media-type="application/xhtml+xml"'
    yield f'<item id="nav" href="nav.xhtml" {kind} properties="nav"/>'
    for at in range(chapters):
        yield f'<item id="c{at}" href="{at}.xhtml" {kind}/>'
