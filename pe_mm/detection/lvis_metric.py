"""LVIS's average precision, with the traps of its package found before training."""

import json
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import numpy as np
from mmdet.evaluation import LVISMetric as MMDetLVISMetric
from mmengine.fileio import dump
from mmengine.registry import METRICS

# Its setup.py imports pip, which only the environment itself has, and its version is
# that of PyPI's release, over which pip would not install it by itself.
INSTALL_LVIS = (
    'pip install --no-build-isolation --no-deps --force-reinstall '
    'git+https://github.com/lvis-dataset/lvis-api.git'
)

# One perfect detection.
_BOX = {'image_id': 1, 'category_id': 1, 'bbox': [0, 0, 8, 8], 'area': 64}
_TRUTH = {
    'images': [
        {
            'id': 1,
            'height': 8,
            'width': 8,
            'neg_category_ids': [],
            'not_exhaustive_category_ids': [],
        }
    ],
    'categories': [{'id': 1, 'name': 'square', 'frequency': 'f'}],
    'annotations': [{**_BOX, 'id': 1}],
}
_DETECTIONS = [{**_BOX, 'score': 1.0}]


@METRICS.register_module()
class LVISMetric(MMDetLVISMetric):
    """mmdet's LVISMetric, which says at once what would fail after a whole evaluation.

    AP, AP50, AP75, APs, APm, APl and APr, APc, APf (rare, common and frequent classes)
    of at most 300 detections per image, computed by the ``lvis`` package. The areas of
    masks are their own, as in LVIS's evaluation; mmdet's metric takes their boxes'.

    Args:
        ann_file: LVIS's annotation file. Its lists of absent and not exhaustively
            annotated categories cannot come from a data set.
        metric: 'bbox', 'segm', 'proposal_fast' or a list of them.
        options: mmdet's other arguments.

    Raises:
        ImportError: ``lvis`` is not installed, or does not run with this numpy, as
            PyPI's release (0.5.3) with numpy >= 1.24.
        ValueError: ``metric`` has 'proposal', or the annotations are not LVIS's.
    """

    def __init__(
        self, ann_file: str, metric: str | list[str] = 'bbox', **options: Any
    ) -> None:
        if 'proposal' in ([metric] if isinstance(metric, str) else metric):
            raise ValueError(
                "metric 'proposal' would match proposals as if they were of the first "
                'category, because mmdet sets options that lvis does not have; use '
                "'proposal_fast'"
            )
        check_lvis()
        super().__init__(ann_file, metric, **options)
        if not self.format_only:
            self._check_annotations(ann_file)

    def results2json(
        self, results: Sequence[dict[str, Any]], outfile_prefix: str
    ) -> dict[str, str]:
        """Write the detections as JSON files, masks without their boxes.

        Args:
            results: Boxes, labels, scores and masks per image, as ``process`` makes.
            outfile_prefix: Where the files' names start.

        Returns:
            The file of every kind of result.
        """
        boxes = [{k: v for k, v in r.items() if k != 'masks'} for r in results]
        files: dict[str, str] = super().results2json(boxes, outfile_prefix)
        if 'masks' in results[0]:
            files['segm'] = f'{outfile_prefix}.segm.json'
            dump([item for r in results for item in self._masks(r)], files['segm'])
        return files

    def _masks(self, result: dict[str, Any]) -> list[dict[str, Any]]:
        scores = result.get('mask_scores', result['scores'])
        # Beside a box lvis would take the box's area for the mask's.
        return [
            {
                'image_id': result['img_id'],
                'category_id': self.cat_ids[label],
                'score': float(score),
                'segmentation': {**mask, 'counts': mask['counts'].decode()},
            }
            for label, score, mask in zip(
                result['labels'], scores, result['masks'], strict=True
            )
        ]

    def _check_annotations(self, ann_file: str) -> None:
        images, categories = self._lvis_api.imgs.values(), self._lvis_api.cats.values()
        missing = [
            key
            for key in ('neg_category_ids', 'not_exhaustive_category_ids')
            if not all(key in image for image in images)
        ]
        if not all('frequency' in category for category in categories):
            missing.append('frequency')
        if missing:
            raise ValueError(
                f'{ann_file} has no {", ".join(missing)}: it is not in the format of '
                'LVIS; use an annotation file of LVIS, or mmdet.CocoMetric'
            )


def check_lvis() -> None:
    """Make sure that the ``lvis`` package evaluates, by a tiny evaluation.

    Its version cannot tell: PyPI's release, which fails with numpy >= 1.24, and the
    repository, which mended that, are both 0.5.3.

    Raises:
        ImportError: It is missing or fails; with the command that installs it.
    """
    try:
        import lvis
    except ImportError as error:
        raise ImportError(
            f'LVIS needs the package lvis, which cannot be imported: {error}. Install '
            f'it from its repository: {INSTALL_LVIS}'
        ) from error
    with TemporaryDirectory() as folder:
        truth, detections = Path(folder, 'truth.json'), Path(folder, 'detections.json')
        truth.write_text(json.dumps(_TRUTH))
        detections.write_text(json.dumps(_DETECTIONS))
        try:
            lvis.LVISEval(str(truth), str(detections), 'bbox').run()
        except Exception as error:
            reason = f'{type(error).__name__}: {error}'.splitlines()[0].rstrip('.')
            raise ImportError(
                f'{_name(lvis)} does not run with numpy {np.__version__} ({reason}). '
                "PyPI's release is older than numpy 1.24; install lvis from its "
                f'repository: {INSTALL_LVIS}'
            ) from error


def _name(lvis: ModuleType) -> str:
    try:
        return f'lvis {version("lvis")}'
    except PackageNotFoundError:  # Another package, such as mmlvis.
        return f'the lvis in {Path(str(lvis.__file__)).parent}'
