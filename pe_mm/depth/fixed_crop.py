"""Cutting images and their depth to fixed rows and columns."""

from collections.abc import Sequence

from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS


@TRANSFORMS.register_module()
class FixedCrop(BaseTransform):
    """Keep the same rows and columns of every image, and of what belongs to it.

    NYUv2's images have a white frame, which ``rows=(45, 472), columns=(43, 608)`` cuts
    off. KITTI's laser sees nothing above the last 352 rows: ``rows=(-352, None)``.

    For training: in a test pipeline mmseg would stretch what is predicted for the rest
    over the whole image. ``pe_mm.DepthMetric(crop_type=...)`` measures a part instead.

    Args:
        rows: First row, and the row after the last one; as in Python's slices, negative
            ones count from the end, and None means the image's own.
        columns: First column, and the column after the last one, likewise.

    Raises:
        ValueError: ``rows`` or ``columns`` is no pair.
    """

    def __init__(
        self,
        rows: Sequence[int | None] = (None, None),
        columns: Sequence[int | None] = (None, None),
    ) -> None:
        for name, ends in (('rows', rows), ('columns', columns)):
            if not isinstance(ends, (list, tuple)) or len(ends) != 2:
                raise ValueError(
                    f'{name} must be a pair (first, after the last), got {ends!r}'
                )
        self.rows, self.columns = slice(*rows), slice(*columns)

    def transform(self, results: dict) -> dict:
        """Cut ``img`` and every map of ``seg_fields``.

        Raises:
            ValueError: Nothing of the image is left.
        """
        size = results['img'].shape[:2]
        for key in ('img', *results.get('seg_fields', ())):
            results[key] = results[key][self.rows, self.columns]
        results['img_shape'] = results['img'].shape[:2]
        if not results['img'].size:
            raise ValueError(
                f'nothing is left of {results.get("img_path", "an image")}, {size[0]} '
                f'x {size[1]}: rows {self.rows}, columns {self.columns}'
            )
        return results
