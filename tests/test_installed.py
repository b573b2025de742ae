"""Versions of what is installed."""

import torch

import pe_mm
from pe_mm.installed import ONEDL_NAMES, collect_versions, version_of


def test_collect_versions__has_what_is_installed():
    versions = collect_versions()

    assert versions['torch'] == torch.__version__
    assert versions['pe_mm'] == pe_mm.__version__
    assert {'python', 'timm', 'mmengine', 'numpy'} <= versions.keys()


def test_version_of__several_names__is_that_of_the_first_installed():
    assert version_of('no-such-distribution', 'torch') == torch.__version__
    assert version_of('no-such-distribution') is None


def test_onedl_names__forks__are_of_packages_that_results_name():
    assert ONEDL_NAMES.keys() <= {'mmengine', 'mmcv', 'mmdet', 'mmsegmentation'}
