"""Demo scenes: rendered pictures with boxes, masks, depth, captions and clips."""

from .demo_scenes import CLASSES, PALETTE, STUFF, make_demo_data

__all__ = ['CLASSES', 'PALETTE', 'STUFF', 'make_demo_data']
