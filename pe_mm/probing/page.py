"""HTML pages that are one file: styles, curves and pictures inside, no scripts.

Pages are built from elements, which escape every text that they hold.
"""

import base64
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from .plots import INK

GENERATOR = 'pe-mm report'

_PAPER = '#ffffff'
_PICTURES = {b'\x89PNG\r\n\x1a\n': 'image/png', b'\xff\xd8\xff': 'image/jpeg'}
# Whatever a page holds, a browser that shows it asks nobody for anything.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1f2328; --soft: #59636e;
  --line: #d1d9e0; --best: #dcebfa; --code: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171b; --ink: #e6e8ea; --soft: #a0a8b2; --line: #3a4149;
    --best: #17395a; --code: #1f242a; }
  svg { filter: brightness(1.3); } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
main { max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.8rem; margin: .5rem 0; }
h2 { margin: 2.5rem 0 .5rem; border-bottom: 1px solid var(--line); }
h3 { margin: 1.5rem 0 .5rem; }
p.soft, figcaption, td small { color: var(--soft); }
nav a { display: inline-block; margin-right: 1rem; }
a { color: inherit; }
pre { background: var(--code); padding: .75rem; white-space: pre-wrap;
  border-radius: 6px; }
.scroll { overflow-x: auto; }
.scroll + .scroll { margin-top: .75rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .75rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
thead th { border-bottom-width: 2px; }
table.numbers td, table.numbers thead th { white-space: nowrap; }
td.best { background: var(--best); }
td.hash { font: .85rem ui-monospace, monospace; word-break: break-all;
  min-width: 14rem; }
.grid { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); }
figure { margin: 0; }
.grid figure { max-width: 36rem; }
svg, img { display: block; width: 100%; height: auto; }
figure.picture img { width: auto; max-width: 100%; margin-top: 1rem; }
@media print { .scroll { overflow: visible; } figure, tr { break-inside: avoid; } }
"""

Child = ET.Element | str


def element(tag: str, *children: Child, **attributes: str) -> ET.Element:
    """Make an element with texts and elements inside.

    Args:
        tag: Name of the element.
        children: What it holds, in order.
        attributes: By name, `class_` for class and `aria_label` for aria-label; empty
            ones are left out.
    """
    names = {
        name.rstrip('_').replace('_', '-'): value
        for name, value in attributes.items()
        if value
    }
    made = ET.Element(tag, names)
    for child in children:
        if not isinstance(child, str):
            made.append(child)
        elif len(made):
            made[-1].tail = (made[-1].tail or '') + child
        else:
            made.text = (made.text or '') + child
    return made


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[Child]],
    *,
    label: str,
    class_: str = '',
) -> ET.Element:
    """Make a table that scrolls by itself where a screen is narrow.

    Args:
        head: Texts of the first line.
        rows: Cells of the others, the first of each a heading; an element that is no
            cell is put into one.
        label: What the table is, for those who do not see it.
        class_: 'numbers' keeps cells on one line.
    """

    def cell(content: Child) -> ET.Element:
        if isinstance(content, ET.Element) and content.tag == 'td':
            return content
        return element('td', content)

    lines = [
        element('tr', element('th', first, scope='row'), *map(cell, rest))
        for first, *rest in rows
    ]
    titles = [element('th', text, scope='col') for text in head]
    content = element(
        'table',
        element('thead', element('tr', *titles)),
        element('tbody', *lines),
        class_=class_,
    )
    return element(
        'div', content, class_='scroll', role='region', aria_label=label, tabindex='0'
    )


def inline_svg(content: bytes, *, label: str, prefix: str) -> ET.Element:
    """Turn a figure of `plots.render` into a part of a page, in the page's colours.

    Args:
        content: An SVG file.
        label: What it shows, for those who do not see it.
        prefix: Put before its ids: those of all figures of a page are different then.
    """
    root = ET.fromstring(content)
    for part in root.iter():
        part.tag = _without_namespace(part.tag)
        part.attrib = {
            _without_namespace(name): _place_svg_value(name, value, prefix)
            for name, value in part.attrib.items()
        }
    del root.attrib['width'], root.attrib['height']
    root.attrib.update({'role': 'img', 'aria-label': label})
    return root


def embed_picture(path: str | Path) -> ET.Element:
    """Put a picture's file into the page, with its name below.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is neither PNG nor JPEG.
    """
    path = Path(path)
    content = path.read_bytes()
    kinds = [kind for start, kind in _PICTURES.items() if content.startswith(start)]
    if not kinds:
        raise ValueError(f'picture {path} is neither PNG nor JPEG; convert it')
    data = base64.b64encode(content).decode()
    return element(
        'figure',
        element('img', src=f'data:{kinds[0]};base64,{data}', alt=path.stem),
        element('figcaption', path.stem),
        class_='picture',
    )


def page(title: str, *children: Child) -> bytes:
    """Make a whole page around the elements of its body."""
    head = element(
        'head',
        element('meta', charset='utf-8'),
        element('meta', name='viewport', content='width=device-width, initial-scale=1'),
        element('meta', name='generator', content=GENERATOR),
        element(
            'meta', **{'http_equiv': 'Content-Security-Policy', 'content': _POLICY}
        ),
        element('title', title),
        element('style', _STYLE),
    )
    body = element('body', element('main', *children))
    text = ET.tostring(
        element('html', head, body, lang='en'), encoding='unicode', method='html'
    )
    return f'<!DOCTYPE html>\n{text}\n'.encode(errors='replace')


def is_report(path: str | Path) -> bool:
    """Tell whether a file is a page that was made here."""
    with Path(path).open('rb') as file:
        return f'name="generator" content="{GENERATOR}"'.encode() in file.read(1000)


def _without_namespace(name: str) -> str:
    return name.rpartition('}')[2]


def _place_svg_value(name: str, value: str, prefix: str) -> str:
    """Change an attribute's value to what it is in a page."""
    if name == 'id':
        return prefix + value
    if name.endswith('href'):
        return value.replace('#', f'#{prefix}')
    value = value.replace('url(#', f'url(#{prefix}').replace(INK, 'currentColor')
    return value.replace(f'fill: {_PAPER}', 'fill: none').replace(_PAPER, 'var(--page)')
