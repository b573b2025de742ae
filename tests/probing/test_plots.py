"""Figures of a sweep: what is drawn where, in files that are read back."""

import math
import xml.etree.ElementTree as ET

import cv2
import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from probing_rows import curve_rows, row, sweep_rows

from pe_mm.probing.curves import gather_curves
from pe_mm.probing.plots import plot_sweep, render

SEEDED = [[20, 21, 19], [39, 42, 39], [40, 41, 39], [36, 36.5, 35.5]]


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Return a function that plots rows and gives the panels' axes."""
    figures = []
    save = Figure.savefig

    def keep(figure, *args, **options):
        figures.append(figure)
        return save(figure, *args, **options)

    monkeypatch.setattr(Figure, 'savefig', keep)

    def draw(rows):
        plot_sweep(rows, tmp_path / 'figure.png')
        return figures[-1].axes

    return draw


def texts(path):
    return [''.join(element.itertext()).strip() for element in texts_of(path)]


def texts_of(path):
    return ET.parse(path).iter('{http://www.w3.org/2000/svg}text')


def marked(axes, marker):
    return [line.get_xydata()[0] for line in axes.lines if line.get_marker() == marker]


def test_plot_sweep__seeds__line_band_and_marks_are_where_they_belong(drawn):
    (axes,) = drawn(curve_rows(SEEDED))

    np.testing.assert_allclose(
        axes.lines[0].get_xydata(), [[0, 20], [1, 40], [2, 40], [3, 36]]
    )
    ((low, high),) = (
        (band.get_datalim(axes.transData).ymin, band.get_datalim(axes.transData).ymax)
        for band in axes.collections
    )
    assert (low, high) == (19, 42)
    # Layers 1 and 2 are equal: the first is the best.
    np.testing.assert_allclose(marked(axes, '*'), [[1, 40]])
    np.testing.assert_allclose(marked(axes, 's'), [[3, 36]])
    assert axes.get_xlabel() == 'layer (from 0)'
    assert (axes.get_title(), axes.get_ylabel()) == ('segmentation', 'mIoU ↑')


def test_plot_sweep__lower_is_better__the_star_is_at_the_lowest(drawn):
    (axes,) = drawn(curve_rows([0.9, 0.2, 0.3], higher_is_better=False))

    np.testing.assert_allclose(marked(axes, '*'), [[1, 0.2]])


def test_plot_sweep__other_numbers_of_layers__share_a_relative_axis(drawn):
    rows = curve_rows([1.0, 3.0], encoder='A')
    rows += curve_rows([1.0, 2.0, 4.0, 3.0], encoder='B')

    (axes,) = drawn(rows)

    lines = [line.get_xdata() for line in axes.lines if line.get_marker() == '.']
    np.testing.assert_allclose(lines[0], [50, 100])
    np.testing.assert_allclose(lines[1], [25, 50, 75, 100])
    np.testing.assert_allclose(marked(axes, '*'), [[100, 3], [75, 4]])
    assert axes.get_xlabel() == 'depth (% of the layers)'
    assert [text.get_text() for text in axes.texts] == ['1', '2']


def test_plot_sweep__layer_without_a_number__leaves_a_gap(drawn):
    (axes,) = drawn(curve_rows([1.0, math.nan, 2.0]))

    assert np.isnan(axes.lines[0].get_ydata()).tolist() == [False, True, False]
    np.testing.assert_allclose(marked(axes, '*'), [[2, 2]])


def test_plot_sweep__no_number_at_all__is_an_empty_panel(drawn):
    (axes,) = drawn(curve_rows([math.nan, math.nan]))

    assert (marked(axes, '*'), marked(axes, 's')) == ([], [])


def test_plot_sweep__last_layer_not_measured__has_no_square(drawn):
    (axes,) = drawn([row(layer=2), row(layer=4)])

    assert marked(axes, 's') == []


def test_plot_sweep__png__is_twice_900_pixels_wide(tmp_path):
    plot_sweep(sweep_rows(), tmp_path / 'new' / 'figure.PNG')

    picture = cv2.imread(str(tmp_path / 'new' / 'figure.PNG'))
    assert picture.shape[1] == 1800
    assert picture.std() > 10


def test_plot_sweep__svg__has_names_as_text_and_nothing_from_outside(tmp_path):
    rows = sweep_rows('A $x_1$ <b>', 24) + sweep_rows('B', 12)

    plot_sweep(rows, tmp_path / 'figure.svg')

    found = texts(tmp_path / 'figure.svg')
    for name in ('detection', 'tracking', 'RMSE ↓', 'A $x_1$ <b>', 'best layer'):
        assert name in found
    for element in ET.parse(tmp_path / 'figure.svg').iter():
        for name, value in element.attrib.items():
            assert not name.endswith('href') or value.startswith('#')


def test_plot_sweep__nothing_random__explains_no_band(tmp_path):
    plot_sweep(curve_rows([1.0, 2.0]), tmp_path / 'one.svg')
    plot_sweep(curve_rows(SEEDED), tmp_path / 'more.svg')

    assert 'lowest to highest seed' not in texts(tmp_path / 'one.svg')
    assert 'lowest to highest seed' in texts(tmp_path / 'more.svg')


def test_render__one_panel_of_a_figure__keeps_the_encoders_colours():
    curves = gather_curves(curve_rows([1.0, 2.0], encoder='B'))

    assert b'#d55e00' in render(curves, 'svg', encoders=['A', 'B'])
    assert b'#d55e00' not in render(curves, 'svg')


@pytest.mark.parametrize('kind', ['png', 'svg'])
def test_render__same_curves__gives_the_same_bytes(kind):
    curves = gather_curves(curve_rows(SEEDED))

    assert render(curves, kind) == render(curves, kind)


def test_render__curves__leaves_matplotlibs_settings_alone():
    before = dict(matplotlib.rcParams)

    render(gather_curves(curve_rows(SEEDED)), 'png')

    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize('name', ['figure.pdf', 'figure'])
def test_plot_sweep__other_suffix__is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r'must end with \.png or \.svg'):
        plot_sweep(curve_rows(SEEDED), tmp_path / name)
    assert list(tmp_path.iterdir()) == []
