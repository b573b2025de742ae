"""`pe-mm convert`: layouts and back, reports, and what is never overwritten."""

import argparse
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from detectron2_models import shapes, small_config, small_state
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import pe_mm
from helpers import golden
from pe_mm.backbones import PerceptionEncoder
from pe_mm.checkpoints import CheckpointError, read_checkpoint
from pe_mm.checkpoints.rename_rules import meta_to_ours
from pe_mm.cli import convert

CASES = ['core_cls', 'spatial_cls_patch16', 'spatial_nocls_layerscale']


def run(*arguments):
    parser = argparse.ArgumentParser()
    convert.add_arguments(parser)
    return convert.run(parser.parse_args([str(argument) for argument in arguments]))


def assert_same(tensors, expected) -> None:
    assert set(tensors) == set(expected)
    for key, tensor in expected.items():
        torch.testing.assert_close(tensors[key], tensor, rtol=0, atol=0)


@pytest.fixture
def official(tmp_path):
    """Return a file with the names and shapes of PE-Spatial-T16-512."""
    with torch.device('meta'):
        state = PerceptionEncoder('PE-Spatial-T16-512').state_dict()
    zeros = {key: torch.zeros(tensor.shape) for key, tensor in state.items()}
    torch.save(zeros, tmp_path / 'official.pt')
    return tmp_path / 'official.pt'


@pytest.fixture
def weights(tmp_path):
    """Return a file in Meta's layout: whole CLIP, as PE-Core's releases are."""
    state = {f'visual.{key}': tensor for key, tensor in golden('core_cls')[1].items()}
    text = {
        'token_embedding.weight': torch.zeros(3, 2),
        'transformer.resblocks.0.ln_1.bias': torch.zeros(2),
        'positional_embedding': torch.zeros(4, 2),
        'logit_scale': torch.tensor(1.0),
    }
    torch.save(state | text, tmp_path / 'meta.pt')
    return tmp_path / 'meta.pt'


@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize(
    ('to', 'suffix'),
    [('timm', 'safetensors'), ('timm', 'pth'), ('ours', 'pt'), ('ours', 'safetensors')],
)
def test_convert__meta_and_back__gives_the_same_bits(
    tmp_path, case, to, suffix
) -> None:
    state = golden(case)[1]
    torch.save({'state_dict': state}, tmp_path / 'meta.pt')
    there, back = tmp_path / f'there.{suffix}', tmp_path / 'back.pt'
    assert run(tmp_path / 'meta.pt', there, '--to', to) == 0
    assert run(there, back, '--to', 'meta') == 0
    assert_same(read_checkpoint(back), state)


@pytest.mark.parametrize('case', CASES)
def test_convert__timm_and_back__gives_the_same_bits(tmp_path, case) -> None:
    ours = meta_to_ours(golden(case)[1]).tensors
    save_file(
        {key: t.contiguous() for key, t in ours.items()}, tmp_path / 'a.safetensors'
    )
    run(tmp_path / 'a.safetensors', tmp_path / 'meta.pt', '--to', 'meta')
    run(tmp_path / 'meta.pt', tmp_path / 'b.safetensors', '--to', 'timm')
    assert_same(load_file(tmp_path / 'b.safetensors'), ours)


def test_convert__whole_clip__reports_every_tensor_and_the_text_tower(
    weights, tmp_path, capsys
) -> None:
    out, report = tmp_path / 'out.pt', tmp_path / 'report.json'
    run(weights, out, '--report', report)
    content, told = read_checkpoint(out), json.loads(report.read_text())
    assert_same(content['state_dict'], meta_to_ours(golden('core_cls')[1]).tensors)
    assert content['meta'] == {
        'source': str(weights),
        'source_layout': 'meta',
        'layout': 'ours',
        'variant': '',
        'pe_mm_version': pe_mm.__version__,
    }
    assert told['skipped']['logit_scale'] == 'text tower'
    assert len(told['skipped']) == 4
    assert [row['to'] for row in told['tensors']] == list(content['state_dict'])
    assert told['tensors'][0] == {
        'from': ['visual.class_embedding'],
        'to': 'cls_token',
        'shape': [1, 1, 64],
        'dtype': 'float32',
    }
    assert "94 tensors in the layout 'ours', from 'meta'" in capsys.readouterr().out


def test_convert__ours_as_safetensors__keeps_the_facts_in_the_header(
    weights, tmp_path
) -> None:
    run(weights, tmp_path / 'out.safetensors')
    with safe_open(tmp_path / 'out.safetensors', framework='pt') as file:
        assert file.metadata()['source_layout'] == 'meta'


def test_convert__existing_output__is_kept_without_force(weights, tmp_path) -> None:
    out = tmp_path / 'out.pt'
    out.write_text('mine')
    with pytest.raises(FileExistsError, match=r'out\.pt exists; pass --force'):
        run(weights, out)
    assert out.read_text() == 'mine'
    assert run(weights, out, '--force') == 0
    assert 'state_dict' in read_checkpoint(out)


def test_convert__onto_its_input_with_force__works(weights) -> None:
    expected = golden('core_cls')[1]
    run(weights, weights, '--to', 'meta', '--force')
    assert_same(read_checkpoint(weights), expected)


def test_convert__existing_report__stops_before_anything_is_written(
    weights, tmp_path
) -> None:
    (tmp_path / 'report.json').touch()
    with pytest.raises(FileExistsError, match=r'report\.json exists'):
        run(weights, tmp_path / 'out.pt', '--report', tmp_path / 'report.json')
    assert not (tmp_path / 'out.pt').exists()


def test_convert__unusable_output_names__are_errors(weights, tmp_path) -> None:
    with pytest.raises(ValueError, match=r"suffix must be one of .*got '\.onnx'"):
        run(weights, tmp_path / 'out.onnx')
    with pytest.raises(ValueError, match='are the same file'):
        run(weights, tmp_path / 'o.pt', '--report', tmp_path / 'o.pt')
    (tmp_path / 'folder.pt').mkdir()
    with pytest.raises(ValueError, match='is a folder'):
        run(weights, tmp_path / 'folder.pt')


def test_convert__right_variant__is_noted(official, tmp_path, capsys) -> None:
    run(official, tmp_path / 'out.pt', '--variant', 'PE-Spatial-T16-512')
    content = read_checkpoint(tmp_path / 'out.pt')
    assert content['meta']['variant'] == 'PE-Spatial-T16-512'
    assert '(PE-Spatial-T16-512)' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('variant', 'message'),
    [
        ('PE-Core-T16-384', 'look like PE-Spatial-T16-512'),
        ('PE-Spatial-T16', "unknown variant.*'PE-Spatial-T16-512'"),
    ],
)
def test_convert__wrong_variant__writes_nothing(
    official, tmp_path, variant, message
) -> None:
    with pytest.raises(ValueError, match=message):
        run(official, tmp_path / 'out.pt', '--variant', variant)
    assert not (tmp_path / 'out.pt').exists()


def test_convert__trained_head_bias__has_no_place_in_metas_layout(tmp_path) -> None:
    ours = meta_to_ours(golden('core_cls')[1]).tensors
    ours['head.bias'] = torch.ones(32)
    torch.save(ours, tmp_path / 'in.pt')
    with pytest.raises(CheckpointError, match=r"'head\.bias' is not zero"):
        run(tmp_path / 'in.pt', tmp_path / 'out.pt', '--to', 'meta')
    assert not (tmp_path / 'out.pt').exists()


@pytest.mark.parametrize('name', ['1000000000', '9' * 5000])
def test_convert__hostile_block_number__is_refused_at_once(tmp_path, name) -> None:
    extra = {f'transformer.resblocks.{name}.ln_1.weight': torch.zeros(64)}
    torch.save(golden('core_cls')[1] | extra, tmp_path / 'in.pt')
    with pytest.raises(CheckpointError, match='1 names that no Perception Encoder has'):
        run(tmp_path / 'in.pt', tmp_path / 'out.pt')
    assert not (tmp_path / 'out.pt').exists()


def test_convert__missing_input__names_the_nearest(weights, tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r'nearest there: meta\.pt'):
        run(tmp_path / 'mete.pt', tmp_path / 'out.pt')


@pytest.fixture
def detector(tmp_path):
    """Return a small detectron2 Mask R-CNN with the classes of COCO."""
    checkpoint = {'model': small_state(classes=80), 'iteration': 66374}
    torch.save(checkpoint, tmp_path / 'detectron2.pth')
    return tmp_path / 'detectron2.pth'


def test_convert__detectron2__writes_what_mmdets_inferencer_takes(
    detector, tmp_path, capsys
) -> None:
    from mmdet.apis import DetInferencer
    from mmdet.datasets import CocoDataset
    from mmengine.runner import load_checkpoint

    out = tmp_path / 'mmdet.pth'
    assert run(detector, out, '--from', 'detectron2') == 0
    told = capsys.readouterr().out
    assert 'a custom encoder, 80 classes (coco), none of the released' in told

    cfg = small_config('mask_rcnn_pe_spatial_g_coco_36e', classes=80)
    cfg.test_dataloader.dataset.pipeline[1].scale = (64, 64)
    cfg.dump(tmp_path / 'config.py')
    inferencer = DetInferencer(
        str(tmp_path / 'config.py'), str(out), 'cpu', show_progress=False
    )
    expected = read_checkpoint(detector)['model']
    loaded = inferencer.model.state_dict()
    assert torch.equal(
        loaded['neck.levels.2.0.weight'], expected['backbone.simfp_4.0.weight']
    )
    assert inferencer.model.dataset_meta['classes'] == CocoDataset.METAINFO['classes']
    load_checkpoint(inferencer.model, str(out), map_location='cpu', strict=True)
    picture = np.random.default_rng(0).integers(0, 256, (48, 60, 3), np.uint8)
    (found,) = inferencer(picture, no_save_vis=True)['predictions']
    assert len(found['bboxes']) == len(found['masks']) == len(found['scores'])


def test_convert__detectron2__reports_every_key(tmp_path) -> None:
    state = small_state(classes=7, layer_scale=False, federated=True)
    torch.save(state, tmp_path / 'in.pth')
    run(
        tmp_path / 'in.pth',
        tmp_path / 'out.pth',
        *('--from', 'detectron2', '--report', tmp_path / 'report.json'),
    )
    told = json.loads((tmp_path / 'report.json').read_text())
    content = read_checkpoint(tmp_path / 'out.pth')
    used = [key for row in told['tensors'] for key in row['from']]
    assert sorted([*used, *told['skipped']]) == sorted(state)
    assert [row['to'] for row in told['tensors']] == list(content['state_dict'])
    facts = {
        'source': str(tmp_path / 'in.pth'),
        'source_layout': 'detectron2',
        'pe_mm_version': pe_mm.__version__,
        'layout': 'mmdet',
        'variant': '',
        'config': '',
    }
    assert content['meta'] == facts
    assert told.items() >= {**facts, 'num_classes': 7, 'sigmoid': True}.items()
    changed = {row['to']: row['change'] for row in told['tensors'] if 'change' in row}
    assert changed == {
        'roi_head.bbox_head.fc_cls.weight': 'without row 7, the background',
        'roi_head.bbox_head.fc_cls.bias': 'without row 7, the background',
    }


def test_convert__detectron2_with_sigmoid__says_so(detector, tmp_path, capsys) -> None:
    run(detector, tmp_path / 'out.pth', '--from', 'detectron2', '--sigmoid')
    assert '80 classes (sigmoid), none of the released' in capsys.readouterr().out
    content = read_checkpoint(tmp_path / 'out.pth')
    assert len(content['state_dict']['roi_head.bbox_head.fc_cls.bias']) == 80
    assert 'dataset_meta' not in content['meta']


def test_convert__lvis_detector_without_class_weights__warns_and_reports_it(
    tmp_path, capsys
) -> None:
    torch.save(small_state(classes=1203), tmp_path / 'in.pth')
    run(
        tmp_path / 'in.pth',
        tmp_path / 'out.pth',
        *('--from', 'detectron2', '--report', tmp_path / 'report.json'),
    )
    (warning,) = json.loads((tmp_path / 'report.json').read_text())['warnings']
    assert '1203 classes are those of LVIS' in warning
    assert capsys.readouterr().out.endswith(f'\nwarning: {warning}\n')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--to', 'ours'], '--to is for an encoder alone'),
        (['--variant', 'PE-Core-G14-448'], '--variant is for an encoder alone'),
        (['--prefix', 'backbone.net'], '--prefix is for an encoder alone'),
    ],
)
def test_convert__option_of_encoders_with_detectron2__is_an_error(
    detector, tmp_path, options, message
) -> None:
    with pytest.raises(ValueError, match=message):
        run(detector, tmp_path / 'out.pth', '--from', 'detectron2', *options)


def test_convert__detectron2_to_safetensors__is_an_error(detector, tmp_path) -> None:
    with pytest.raises(ValueError, match=r'mmdet reads torch files only; .* in \.pth'):
        run(detector, tmp_path / 'out.safetensors', '--from', 'detectron2')


def test_convert__sigmoid_without_detectron2__is_an_error(weights, tmp_path) -> None:
    with pytest.raises(ValueError, match='--sigmoid is for --from detectron2'):
        run(weights, tmp_path / 'out.pth', '--sigmoid')


def test_convert__detector_of_shapes_alone__writes_nothing(tmp_path) -> None:
    state = {key: tensor.to('meta') for key, tensor in small_state().items()}
    torch.save(state, tmp_path / 'in.pth')
    with pytest.raises(CheckpointError, match='tensors are on the meta device'):
        run(tmp_path / 'in.pth', tmp_path / 'out.pth', '--from', 'detectron2')
    assert not (tmp_path / 'out.pth').exists()


def test_convert__encoder_of_a_detector__is_taken_without_from(
    detector, tmp_path
) -> None:
    run(detector, tmp_path / 'out.pth')
    content = read_checkpoint(tmp_path / 'out.pth')
    assert 'pos_embed' in content['state_dict']
    assert not any(key.startswith('neck.') for key in content['state_dict'])


# Prints by how many bytes the process' own memory, not that of mapped files, grew.
MEASURED_CONVERSION = """
import argparse, re, sys, threading
from pathlib import Path
import mmdet.datasets
from pe_mm.cli import convert

def own_memory():
    status = Path('/proc/self/status').read_text()
    return 1024 * int(re.search(r'RssAnon:\\s+([0-9]+)', status)[1])

def watch():
    while not done.wait(0.001):
        peak[0] = max(peak[0], own_memory())

parser = argparse.ArgumentParser()
convert.add_arguments(parser)
args = parser.parse_args(sys.argv[1:])
done, start = threading.Event(), own_memory()
peak = [start]
thread = threading.Thread(target=watch)
thread.start()
convert.run(args)
done.set()
thread.join()
print('grew by', peak[0] - start)
"""


@pytest.mark.skipif(not Path('/proc/self/status').exists(), reason='needs Linux')
@pytest.mark.parametrize('shared', [False, True])
def test_convert__detector__takes_no_memory_for_its_tensors(tmp_path, shared) -> None:
    table = shapes(
        classes=1203,
        layer_scale=True,
        federated=True,
        width=256,
        depth=12,
        hidden=1024,
        heads=4,
        grid=8,
    )
    sizes = [math.prod(shape) for shape in table.values()]
    parts = torch.zeros(sum(sizes)).split(sizes)
    state = {
        key: (part if shared else part.clone()).view(shape)
        for (key, shape), part in zip(table.items(), parts, strict=True)
    }
    torch.save({'model': state}, tmp_path / 'in.pth')
    size = (tmp_path / 'in.pth').stat().st_size
    assert size > 150e6
    told = subprocess.run(
        [sys.executable, '-c', MEASURED_CONVERSION]
        + [str(tmp_path / name) for name in ('in.pth', 'out.pth')]
        + ['--from', 'detectron2'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert (tmp_path / 'out.pth').stat().st_size > 0.95 * size
    meta = read_checkpoint(tmp_path / 'out.pth')['meta']
    assert meta['dataset_meta']['classes'][-1] == 'zucchini'
    # 0.6 MB, measured.
    assert int(told.split('grew by')[1]) < 0.05 * size
