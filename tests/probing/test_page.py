"""Pages that are one file: elements, tables, figures and pictures inside."""

import base64
import xml.etree.ElementTree as ET

import cv2
import numpy as np
import pytest
from probing_rows import curve_rows

from pe_mm.probing.curves import gather_curves
from pe_mm.probing.page import (
    element,
    embed_picture,
    inline_svg,
    is_report,
    page,
    table,
)
from pe_mm.probing.plots import render


@pytest.fixture
def figure():
    curves = gather_curves(curve_rows([[1.0, 2.0], [3.0, 3.5]]))
    return inline_svg(render(curves, 'svg'), label='a <curve>', prefix='f0-')


def html(made):
    return ET.tostring(made, encoding='unicode', method='html')


def test_element__texts_and_elements__keep_their_order_and_are_escaped():
    made = element('p', 'a < b', element('b', '&'), ' & ', 'c', class_='x"y', id='')

    assert html(made) == ('<p class="x&quot;y">a &lt; b<b>&amp;</b> &amp; c</p>')


def test_table__rows__have_headings_and_keep_cells():
    made = table(
        ['layer', 'value'],
        [['0', '1.5'], ['1', element('td', '2.5', class_='best')]],
        label='numbers',
    )

    assert [part.text for part in made.iter('th')] == ['layer', 'value', '0', '1']
    assert [(c.text, c.get('class')) for c in made.iter('td')] == [
        ('1.5', None),
        ('2.5', 'best'),
    ]
    assert made.get('aria-label') == 'numbers'


def test_inline_svg__figure__has_no_namespace_and_ids_of_its_own(figure):
    ids = {part.get('id') for part in figure.iter() if part.get('id')}
    values = [value for part in figure.iter() for value in part.attrib.values()]
    links = [part.get('href') for part in figure.iter() if part.get('href')]

    assert figure.tag == 'svg'
    assert not any('}' in name for part in figure.iter() for name in part.attrib)
    assert all(name.startswith('f0-') for name in ids)
    assert links
    assert {link.removeprefix('#') for link in links} <= ids
    clips = [value for value in values if 'url(#' in value]
    assert clips
    assert all(v.split('url(#')[1].split(')')[0] in ids for v in clips)


def test_inline_svg__figure__takes_the_pages_colours_and_width(figure):
    text = html(figure)

    assert 'currentColor' in text
    assert '#ffffff' not in text
    assert '#1f2328' not in text
    # The encoder's own colour stays.
    assert '#0072b2' in text
    assert (figure.get('width'), figure.get('height')) == (None, None)
    assert figure.get('viewBox')
    assert figure.get('aria-label') == 'a <curve>'


@pytest.mark.parametrize(('suffix', 'kind'), [('.png', 'png'), ('.jpg', 'jpeg')])
def test_embed_picture__file__is_inside_as_it_is(tmp_path, suffix, kind):
    path = tmp_path / f'attention map{suffix}'
    cv2.imwrite(str(path), np.full((4, 4, 3), 90, np.uint8))

    made = embed_picture(path)

    start, _, data = made.find('img').get('src').partition(',')
    assert start == f'data:image/{kind};base64'
    assert base64.b64decode(data) == path.read_bytes()
    assert made.find('figcaption').text == 'attention map'


def test_embed_picture__other_format__is_refused(tmp_path):
    (tmp_path / 'figure.svg').write_text('<svg onload="alert(1)"/>')

    with pytest.raises(ValueError, match=r'figure\.svg is neither PNG nor JPEG'):
        embed_picture(tmp_path / 'figure.svg')


def test_embed_picture__no_file__is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match='missing.png'):
        embed_picture(tmp_path / 'missing.png')


def test_is_report__pages_and_other_files__are_told_apart(tmp_path):
    (tmp_path / 'ours.html').write_bytes(page('title', element('p', 'text')))
    (tmp_path / 'other.html').write_text('<p>pe-mm report</p>')

    assert is_report(tmp_path / 'ours.html')
    assert not is_report(tmp_path / 'other.html')
