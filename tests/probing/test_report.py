"""The report: a page that is whole, safe and says what the rows say."""

from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from probing_rows import curve_rows, row, sweep_rows

from pe_mm.probing.report import write_report

VOID = {'meta', 'img', 'link', 'br', 'hr', 'input'}
EVIL = '<script>alert("1")</script>&amp;<img src=x onerror=alert(2)>'


class Page(HTMLParser):
    """Read a page; fails on tags that do not match."""

    def __init__(self, content):
        super().__init__()
        self.open, self.tags, self.attributes = [], [], []
        self.texts, self.classes = [], {}
        self.feed(content)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append((tag, dict(attrs).get('class')))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if data.strip() and self.open[-1][0] != 'style':
            self.texts.append(data.strip())
            self.classes.setdefault(self.open[-1], []).append(data.strip())

    @property
    def ids(self):
        return [value for name, value in self.attributes if name == 'id']


@pytest.fixture
def read(tmp_path):
    """Return a function that writes a report and reads it."""

    def write_and_read(rows, **options):
        write_report(rows, tmp_path / 'report.html', **options)
        return Page((tmp_path / 'report.html').read_text(encoding='utf-8'))

    return write_and_read


def test_write_report__two_encoders__is_one_whole_page(read, tmp_path):
    cv2.imwrite(str(tmp_path / 'attention.png'), np.zeros((4, 4, 3), np.uint8))
    rows = sweep_rows('PE-Core L/14', 24) + sweep_rows('PE-Spatial B/16', 12)

    page = read(rows, pictures=[tmp_path / 'attention.png'])

    assert page.tags.count('svg') == 4
    assert len(page.ids) == len(set(page.ids))
    links = [value for name, value in page.attributes if name in ('href', 'src')]
    inside = [link for link in links if link.startswith('#')]
    assert {link[1:] for link in inside} <= set(page.ids)
    pictures = set(links) - set(inside)
    assert len(pictures) == 1
    assert pictures.pop().startswith('data:image/png;base64,')


def test_write_report__page__loads_and_runs_nothing(read, tmp_path):
    page = read(sweep_rows())

    assert not {'script', 'iframe', 'object', 'link', 'base'} & set(page.tags)
    assert not any(name.startswith('on') for name, _ in page.attributes)
    text = (tmp_path / 'report.html').read_text(encoding='utf-8')
    assert '://' not in text
    assert 'url(' not in text.replace('url(#', '')
    assert '@import' not in text
    assert "default-src 'none'" in text


def test_write_report__names_with_markup__are_text(read):
    page = read(
        curve_rows([[1.0, 2.0], [3.0, 2.0]], encoder=EVIL, task=f'task {EVIL}')
        + curve_rows(
            [1.0, 2.0],
            metric=EVIL,
            encoder=EVIL,
            config=EVIL,
            task=f'other {EVIL}',
            variant={EVIL: EVIL},
            protocol={EVIL: [EVIL]},
            versions={EVIL: EVIL},
        )
    )

    assert 'script' not in page.tags
    assert 'img' not in page.tags
    assert EVIL in page.texts


def test_write_report__numbers__are_those_of_the_rows(read):
    rows = curve_rows([[20, 21, 19], [39, 42, 38.4], [40, 41, 39], [36, 36.9, 35.1]])

    page = read(rows)

    strong = page.classes[('strong', None)]
    assert strong == ['40.00 ± 1.00', '36.00 ± 0.90']
    assert page.classes[('small', None)] == ['as good', 'best', 'last']
    assert '39.80 ± 1.93' in page.texts
    assert 'out_indices=(2,)  # best single layer, counted from 0' in page.texts


def test_write_report__protocol_and_origin__are_told_for_every_encoder(read):
    rows = [row(layer=layer, seed=seed) for layer in (0, 1) for seed in (0, 7)]
    rows += [
        replace(r, encoder='DINOv3', weights=None, variant={'weights': None}, seed=None)
        for r in rows[::2]
    ]
    rows += [
        replace(r, encoder='drawn', variant={'weights': 'random, seed-0'})
        for r in rows
        if r.encoder == 'DINOv3'
    ]
    rows[0] = replace(rows[0], versions={'torch': '2.12.1'})

    texts = read(rows).texts

    for expected in (
        *('config', 'configs/probing/ade20k.py', 'iterations', '40000', '0.001'),
        *('0, 7', 'none needed', '512 × 512', '32 × 32'),
        *('ab' * 32, 'PE-Spatial-B16-512', '{"weights": null}'),
        *('those of a training per seed', 'random weights'),
        *('torch', '2.12.1, 2.13.0'),
    ):
        assert expected in texts


def test_write_report__layers_missing_or_without_a_number__are_told(read):
    rows = curve_rows([1.0, 2.0, float('nan')]) + curve_rows(
        [1.0, 2.0, 3.0], encoder='other'
    )

    page = read([r for r in rows if (r.encoder, r.layer) != ('other', 0)])

    assert 'no finite number' in page.texts
    assert 'segmentation (mIoU): no finite number: layers 2' in page.texts
    assert 'segmentation (mIoU): not measured: layers 0' in page.texts


def test_write_report__same_rows__gives_the_same_bytes(tmp_path):
    for name in ('first.html', 'second.html'):
        write_report(sweep_rows(num_layers=3), tmp_path / name)

    assert (tmp_path / 'first.html').read_bytes() == (
        tmp_path / 'second.html'
    ).read_bytes()


def test_write_report__rows_that_differ__leave_the_old_page(tmp_path):
    path = tmp_path / 'report.html'
    path.write_text('old')

    with pytest.raises(ValueError, match='cannot be compared: tokens is'):
        write_report([row(), row(layer=6, tokens=(16, 16))], path)
    assert path.read_text() == 'old'
