"""Classes of the demo scenes and their colours, RGB."""

things = (
    'ball',
    'cube',
    'cylinder',
    'cone',
    'ring',
    'star',
    'cross',
    'stairs',
    'arch',
    'mug',
    'table',
    'dumbbell',
)
stuff = ('floor', 'wall', 'rug')
thing_palette = [
    [230, 60, 60],
    [60, 120, 230],
    [70, 180, 75],
    [250, 170, 40],
    [155, 70, 200],
    [250, 225, 50],
    [50, 200, 200],
    [240, 60, 200],
    [150, 95, 45],
    [150, 220, 90],
    [250, 150, 180],
    [80, 80, 150],
]
stuff_palette = [[196, 184, 160], [120, 130, 140], [90, 60, 70]]
