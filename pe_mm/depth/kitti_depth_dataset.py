"""KITTI's images with sparse depth, by the lists of Eigen's split."""

import os.path as osp
from typing import Any

from mmengine.fileio import exists, list_from_file
from mmengine.logging import print_log
from mmengine.registry import DATASETS
from mmseg.datasets import BaseSegDataset


@DATASETS.register_module()
class KITTIDepthDataset(BaseSegDataset):
    """Read KITTI's images and depth maps as a list names them.

    A line of the list has an image's path, its depth map's path and the focal length
    (which is not used), such as ``2011_09_26/.../image_02/data/0000000069.png
    2011_09_26_drive_0002_sync/proj_depth/groundtruth/image_02/0000000069.png
    721.5377``. Images whose depth is ``None`` have none; they are left out, and their
    number is logged: 45 of the 697 test images of Eigen et al.

    Depth maps are 16-bit PNGs of depth * 256, 0 where none was measured:
    ``dict(type='LoadDepthAnnotation', depth_rescale_factor=1 / 256)``.

    Args:
        ann_file: The list, relative to ``data_root``.
        data_prefix: Folders that the list's paths are relative to: ``img_path`` and
            ``depth_map_path``.
        kwargs: What else mmseg's ``BaseSegDataset`` takes.

    Raises:
        FileNotFoundError: The list, or a folder of ``data_prefix``, does not exist.
        ValueError: A line does not have two paths, or no image has depth.
    """

    METAINFO: dict = {'classes': ()}

    def __init__(
        self,
        ann_file: str,
        data_prefix: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        folders = dict(img_path='input', depth_map_path='gt_depth')
        super().__init__(
            ann_file=ann_file, data_prefix={**folders, **(data_prefix or {})}, **kwargs
        )

    def load_data_list(self) -> list[dict]:
        """Read the list; one record per image with depth, in the list's order."""
        for path in (self.ann_file, *self.data_prefix.values()):
            if not exists(path, backend_args=self.backend_args):
                raise FileNotFoundError(
                    f'{path} does not exist; KITTI needs the list {self.ann_file} and '
                    f'the folders {list(self.data_prefix.values())}'
                )
        lines = list_from_file(self.ann_file, backend_args=self.backend_args)
        pairs = [
            self._split(line, number)
            for number, line in enumerate(lines, start=1)
            if line.strip()
        ]
        records = [
            dict(
                img_path=osp.join(self.data_prefix['img_path'], image),
                depth_map_path=osp.join(self.data_prefix['depth_map_path'], depth),
                seg_fields=[],
            )
            for image, depth in pairs
            if depth != 'None'
        ]
        if not records:
            raise ValueError(f'{self.ann_file} names no image with depth')
        if len(records) < len(pairs):
            print_log(
                f'{self.ann_file}: {len(pairs) - len(records)} of {len(pairs)} images '
                'have no depth (None) and are left out',
                logger='current',
            )
        return records

    def _split(self, line: str, number: int) -> tuple[str, str]:
        fields = line.split()
        if len(fields) not in (2, 3):
            raise ValueError(
                f'{self.ann_file}, line {number}: expected "image depth focal", got '
                f'{line!r}'
            )
        return fields[0], fields[1]
