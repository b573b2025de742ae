"""The weights of the federated loss come from the training set."""

import json
import subprocess
import sys
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
from mmdet.datasets import ConcatDataset, LVISV1Dataset, MultiImageMixDataset
from mmengine.dataset import ClassBalancedDataset, RepeatDataset
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from pe_mm.detection.federated_classes_hook import FederatedClassesHook, count_images
from pe_mm.detection.federated_loss import FederatedLoss

NAMES = ('cup', 'dog', 'fern', 'unseen')
# Category ids of the objects in every image; LVIS's ids are no label numbers.
CATEGORY_IDS = {'cup': 1, 'dog': 4, 'fern': 5, 'unseen': 9}
IMAGES = [['cup', 'cup', 'dog'], ['cup'], ['cup', 'dog'], ['fern', 'cup'], []]
COUNTS = [4, 2, 1, 0]


def write_lvis(path, images):
    """Write an annotation file in LVIS's format, objects given by name."""
    annotations = [
        {'id': 10 * i + j + 1, 'image_id': i, 'category_id': CATEGORY_IDS[name]}
        | {'bbox': [4, 4, 20, 20], 'area': 400}
        | {'segmentation': [[4, 4, 24, 4, 24, 24]]}
        for i, names in enumerate(images)
        for j, name in enumerate(names)
    ]
    # Too thin for mmdet: the data set does not list it, nor does the count.
    annotations.append(
        {'id': 999, 'image_id': 1, 'category_id': CATEGORY_IDS['unseen']}
        | {'bbox': [0, 0, 0.5, 9], 'area': 4, 'segmentation': [[0, 0, 0.5, 0, 0.5, 9]]}
    )
    url = 'http://images.cocodataset.org/train2017/{:012}.jpg'
    file = {
        'images': [
            {'id': i, 'coco_url': url.format(i), 'height': 64, 'width': 64}
            | {'neg_category_ids': [], 'not_exhaustive_category_ids': []}
            for i in range(len(images))
        ],
        'categories': [
            {'id': number, 'name': name, 'frequency': 'r'}
            for name, number in CATEGORY_IDS.items()
        ],
        'annotations': annotations,
    }
    path.write_text(json.dumps(file))
    return path


def make_lvis(folder, images=IMAGES, **options):
    options = {'metainfo': {'classes': NAMES}, 'data_prefix': {'img': ''}} | options
    path = write_lvis(folder / 'lvis.json', images)
    return LVISV1Dataset(ann_file=str(path), pipeline=[], **options)


@pytest.fixture
def lvis(tmp_path):
    return make_lvis(tmp_path)


def run_hook(dataset, *losses, **options):
    runner = SimpleNamespace(
        model=nn.ModuleList(losses),
        train_dataloader=SimpleNamespace(dataset=dataset),
        logger=Mock(),
    )
    FederatedClassesHook(**options).before_train(runner)
    return runner


def test_hook__lvis_data_set__weighs_classes_by_the_root_of_their_images(lvis):
    losses = FederatedLoss(4), FederatedLoss(4)

    runner = run_hook(lvis, *losses)

    for loss in losses:
        torch.testing.assert_close(loss.class_weights, torch.tensor(COUNTS) ** 0.5)
    (message,) = runner.logger.info.call_args.args
    assert '3 of 4 classes have images, from 1 to 4 each' in message


@pytest.mark.parametrize(
    ('power', 'weights'), [(1, COUNTS), (0, [1, 1, 1, 0])], ids=['linear', 'alike']
)
def test_hook__power__is_the_exponent_of_the_counts(lvis, power, weights):
    loss = FederatedLoss(4)

    run_hook(lvis, loss, power=power)

    assert loss.class_weights.tolist() == weights


def test_hook__weights_of_a_checkpoint__give_way_to_the_training_set(lvis):
    loss = FederatedLoss(4)
    loss.load_state_dict({'class_weights': torch.tensor([9.0, 9, 9, 9])})

    run_hook(lvis, loss)

    torch.testing.assert_close(loss.class_weights, torch.tensor(COUNTS) ** 0.5)


def balanced(dataset):
    repeated = ClassBalancedDataset(dataset, oversample_thr=0.9)
    assert len(repeated) > len(dataset)
    return repeated


def repeated_balanced(dataset):
    inner = {'type': 'ClassBalancedDataset', 'dataset': dataset, 'oversample_thr': 0.9}
    return RepeatDataset(inner, 2)


@pytest.mark.parametrize(
    ('wrap', 'times'),
    [
        pytest.param(balanced, 1, id='repeat factor sampling'),
        pytest.param(lambda d: RepeatDataset(d, 3), 1, id='repeat'),
        pytest.param(lambda d: MultiImageMixDataset(d, []), 1, id='mix'),
        pytest.param(repeated_balanced, 1, id='nested'),
        pytest.param(lambda d: ConcatDataset([d, d]), 2, id='two sets'),
    ],
)
def test_count_images__wrapped__counts_what_is_inside_once(lvis, wrap, times):
    assert count_images(wrap(lvis), 4).tolist() == [times * n for n in COUNTS]


def test_count_images__lazy_data_set__is_read(tmp_path):
    inner = make_lvis(tmp_path, lazy_init=True)
    dataset = ClassBalancedDataset(inner, 0.9, lazy_init=True)

    assert count_images(dataset, 4).tolist() == COUNTS


def test_count_images__images_left_out__do_not_count(tmp_path):
    dataset = make_lvis(tmp_path, indices=2)

    assert count_images(dataset, 4).tolist() == [2, 1, 0, 0]


def test_hook__no_federated_loss__is_refused(lvis):
    with pytest.raises(ValueError, match=r'no pe_mm\.FederatedLoss in the model'):
        run_hook(lvis, nn.Linear(2, 2))


def test_hook__no_annotations__is_refused(tmp_path):
    dataset = make_lvis(tmp_path, images=[[], []])

    with pytest.raises(ValueError, match='no annotation in the training set'):
        run_hook(dataset, FederatedLoss(4))


def test_hook__negative_power__is_refused():
    with pytest.raises(ValueError, match='power must be >= 0, got -1'):
        FederatedClassesHook(power=-1)


def test_count_images__other_number_of_classes__names_both(lvis):
    with pytest.raises(ValueError, match=r'num_classes=5.*LVISV1Dataset of 4 classes'):
        count_images(lvis, 5)


def test_count_images__more_categories_in_the_file__is_refused(tmp_path):
    dataset = make_lvis(tmp_path, metainfo={'classes': NAMES[:2]})

    with pytest.raises(ValueError, match=r'class ids up to 2, .*num_classes=2\)'):
        count_images(dataset, 2)


def test_count_images__unknown_kind__is_refused():
    with pytest.raises(ValueError, match='cannot count the classes of a list'):
        count_images([1, 2], 4)


class Classifier(BaseModel):
    """A box head's classifier without a detector around it."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 4)
        self.loss_cls = FederatedLoss(4, set_size=2)

    def forward(self, data_samples, mode):
        labels = torch.cat([sample.gt_instances.labels for sample in data_samples])
        return {
            'loss_cls': self.loss_cls(self.layer(torch.ones(len(labels), 1)), labels)
        }


def train(folder, *, epochs, resume=False):
    ann_file = write_lvis(folder / 'lvis.json', IMAGES)
    dataset = {'type': 'LVISV1Dataset', 'ann_file': str(ann_file)}
    dataset |= {'metainfo': {'classes': NAMES}, 'data_prefix': {'img': ''}}
    dataset |= {'filter_cfg': {'filter_empty_gt': True}}
    pipeline = [
        {'type': 'mmdet.LoadAnnotations'},
        {'type': 'PackDetInputs', 'meta_keys': ()},
    ]
    runner = Runner(
        model=Classifier(),
        work_dir=str(folder / 'run'),
        train_dataloader={
            'batch_size': 2,
            'num_workers': 0,
            'sampler': {'type': 'DefaultSampler', 'shuffle': True},
            'dataset': {
                'type': 'ClassBalancedDataset',
                'oversample_thr': 0.9,
                'dataset': dataset | {'pipeline': pipeline},
            },
        },
        train_cfg={'by_epoch': True, 'max_epochs': epochs},
        optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.1}},
        custom_hooks=[{'type': 'pe_mm.FederatedClassesHook'}],
        default_scope='mmdet',
        experiment_name=f'{folder.name}_{epochs}',
        resume=resume,
    )
    runner.train()
    return runner.model.loss_cls.class_weights


def test_hook__run_and_resumed_run__have_the_same_weights(tmp_path):
    torch.testing.assert_close(train(tmp_path, epochs=1), torch.tensor(COUNTS) ** 0.5)
    saved = torch.load(tmp_path / 'run' / 'epoch_1.pth')['state_dict']
    torch.testing.assert_close(
        saved['loss_cls.class_weights'], torch.tensor(COUNTS) ** 0.5
    )

    weights = train(tmp_path, epochs=2, resume=True)

    assert torch.equal(weights, saved['loss_cls.class_weights'])
    assert (tmp_path / 'run' / 'epoch_2.pth').is_file()


RANK = """
import sys
from types import SimpleNamespace
from unittest.mock import Mock
import torch
from mmdet.datasets import LVISV1Dataset
from pe_mm.detection import FederatedClassesHook, FederatedLoss

ann_file, folder, rank = sys.argv[1], sys.argv[2], int(sys.argv[3])
torch.distributed.init_process_group(
    'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
)
# The second process has but one of the images.
dataset = LVISV1Dataset(
    ann_file=ann_file,
    data_prefix={'img': ''},
    metainfo={'classes': tuple('abcd')},
    indices=[5, 1][rank],
)
loss = FederatedLoss(4)
runner = SimpleNamespace(
    model=loss, train_dataloader=SimpleNamespace(dataset=dataset), logger=Mock()
)
FederatedClassesHook().before_train(runner)
torch.save(loss.class_weights, f'{folder}/{rank}.pth')
"""


@pytest.mark.slow
def test_hook__two_processes__have_the_first_ones_weights(tmp_path):
    ann_file = write_lvis(tmp_path / 'lvis.json', IMAGES)
    command = [sys.executable, '-c', RANK, str(ann_file), str(tmp_path)]
    ranks = [subprocess.Popen([*command, rank]) for rank in '01']

    try:
        codes = [process.wait(timeout=120) for process in ranks]
    finally:
        for process in ranks:
            process.kill()

    assert codes == [0, 0]
    for rank in '01':
        weights = torch.load(tmp_path / f'{rank}.pth')
        torch.testing.assert_close(weights, torch.tensor(COUNTS) ** 0.5)
