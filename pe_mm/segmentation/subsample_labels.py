"""Labels at fewer pixels than the image has, where they are."""

from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SubsampleLabels(BaseTransform):
    """Keep the label in the middle of every square of pixels, for a cheaper loss.

    mmseg computes losses at the labels' size, to which it resizes the logits. Its own
    ``SegRescale`` takes the upper left pixel of each square instead of the middle: a
    shift of half a square less half a pixel, 3.5 pixels at a stride of 8, which a model
    learns. In the middle of an even number of pixels the one after it is taken.

    Args:
        stride: Side of the squares in pixels.

    Raises:
        ValueError: ``stride`` is no positive integer.
    """

    def __init__(self, stride: int) -> None:
        if isinstance(stride, bool) or not isinstance(stride, int) or stride < 1:
            raise ValueError(f'stride must be a positive integer, got {stride!r}')
        self.stride = stride

    def transform(self, results: dict) -> dict:
        """Subsample every map of ``seg_fields``, and leave the image.

        Raises:
            ValueError: A side of a map is no multiple of the stride.
        """
        for key in results.get('seg_fields', ()):
            labels = results[key]
            if any(side % self.stride for side in labels.shape[:2]):
                raise ValueError(
                    f'{key} has {labels.shape[0]} x {labels.shape[1]} pixels, which '
                    f'squares of {self.stride} do not fill; resize, crop or pad before'
                )
            start = self.stride // 2
            results[key] = labels[start :: self.stride, start :: self.stride]
        return results
