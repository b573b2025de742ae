"""Everything the README shows runs, and what it says of the variants is true."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import BaseDataElement
from torch import nn

from pe_mm import PerceptionEncoder
from pe_mm.cli.main import COMMANDS, build_parser, main
from pe_mm.variants import VARIANTS, Variant

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / 'README.md').read_text()
BLOCKS = re.findall(r'^```(\w+)\n(.*?)^```$', TEXT, flags=re.MULTILINE | re.DOTALL)
PYTHON = [text for language, text in BLOCKS if language == 'python']
PARTS = [code for code in PYTHON if code.startswith('backbone = ')]
DETECTOR_PARTS = [code for code in PARTS if 'neck = ' in code]
SEGMENTOR_PARTS = [code for code in PARTS if 'decode_head = ' in code]
ALIGNERS = [code for code in PYTHON if 'SpatialAligner' in code]
SHELL = [
    line
    for language, text in BLOCKS
    if language == 'bash'
    for line in text.splitlines()
]


def test_blocks__languages__are_all_tested() -> None:
    assert {language for language, _ in BLOCKS} == {'python', 'bash', 'text'}
    assert TEXT.count('```') == 2 * len(BLOCKS)


@pytest.mark.parametrize('code', [code for code in PYTHON if 'import' in code])
def test_python_block__runs__and_prints_what_it_says(code, capsys) -> None:
    exec(compile(code, 'README.md', 'exec'), {})
    assert capsys.readouterr().out.count('torch.Size([1, 192, 27, 36])') == 3


@pytest.mark.parametrize('code', [code for code in PYTHON if '_base_' in code])
def test_config_block__mmdet_config_with_our_backbone__trains(code, tmp_path) -> None:
    from mmdet.registry import MODELS as MMDET_MODELS
    from mmdet.testing import demo_mm_inputs

    (tmp_path / 'config.py').write_text(code)
    cfg = Config.fromfile(tmp_path / 'config.py')
    assert cfg.model.backbone.pop('pretrained')  # there is no hub in the tests
    cfg.model.backbone.variant = dict(depth=12, width=64, heads=4, image_size=64)
    cfg.model.neck.in_channels = [64] * 4
    model = MMDET_MODELS.build(cfg.model).train()
    assert isinstance(model.backbone, PerceptionEncoder)
    data = demo_mm_inputs(2, image_shapes=[(3, 96, 128)] * 2, with_mask=True)
    data = model.data_preprocessor(data, training=True)
    losses = model(**data, mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    assert model.backbone.patch_embed.proj.weight.grad.abs().sum() > 0


@pytest.mark.parametrize('code', DETECTOR_PARTS)
def test_config_parts__windowed_encoder_and_layer_mix__train(code, tmp_path) -> None:
    from mmengine.optim import build_optim_wrapper

    (tmp_path / 'config.py').write_text(code)
    cfg = Config.fromfile(tmp_path / 'config.py')
    cfg.backbone.variant = dict(depth=8, width=64, heads=4, image_size=64)
    cfg.neck.necks[0].in_channels = [64] * 4
    cfg.neck.necks[1].in_channels = 64
    cfg.backbone.window_size = 2
    model = nn.ModuleDict(
        {'backbone': MODELS.build(cfg.backbone), 'neck': MODELS.build(cfg.neck)}
    )
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    levels = model['neck'](model['backbone'](torch.rand(1, 3, 64, 64)))
    assert [level.shape[-1] for level in levels] == [16, 8, 4, 2]
    optim_wrapper.update_params(sum(level.square().mean() for level in levels))
    assert model['neck'][0].weights.std() > 0


@pytest.mark.parametrize('code', SEGMENTOR_PARTS)
def test_config_parts__frozen_layers_and_linear_head__train(code, tmp_path) -> None:
    (tmp_path / 'config.py').write_text(code)
    cfg = Config.fromfile(tmp_path / 'config.py')
    assert cfg.backbone.pop('pretrained')  # there is no hub in the tests
    cfg.backbone.variant = dict(depth=50, width=8, heads=2, patch_size=14)
    cfg.decode_head.in_channels = [8] * 2
    with DefaultScope.overwrite_default_scope('mmseg'):
        encoder, head = MODELS.build(cfg.backbone), MODELS.build(cfg.decode_head)
    assert encoder.out_indices == (33, 43)
    head(encoder(torch.rand(2, 3, 28, 42))).square().mean().backward()
    assert all(p.grad is None for p in encoder.parameters())
    assert all(p.grad.abs().sum() > 0 for p in head.parameters())


@pytest.mark.parametrize('code', ALIGNERS)
def test_model__aligner__trains(code, tmp_path) -> None:
    (tmp_path / 'config.py').write_text(code)
    cfg = Config.fromfile(tmp_path / 'config.py').model
    assert cfg.teacher.pop('pretrained')  # there is no hub in the tests
    assert cfg.backbone.pop('init_cfg').new_layer_scale
    variant = dict(depth=50, width=8, heads=2, patch_size=14, image_size=28)
    cfg.backbone.variant = variant | dict(layer_scale=0.1)
    cfg.teacher.variant = variant
    # SAM itself is tested beside its teacher.
    cfg.mask_teacher = dict(type='pe_mm.SceneMaskTeacher')
    model = MODELS.build(cfg).train()
    sample = BaseDataElement(instance_map=torch.randint(0, 3, (28, 28)))
    losses = model(torch.rand(1, 3, 28, 28), [sample], mode='loss')
    assert list(losses) == ['loss_core', 'loss_locality']
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in model.parameters())


def test_python_blocks__kinds__are_all_tested() -> None:
    assert len(DETECTOR_PARTS) == len(SEGMENTOR_PARTS) == len(ALIGNERS) == 1
    tested = [*PARTS, *ALIGNERS]
    assert all('import' in c or '_base_' in c or c in tested for c in PYTHON)


@pytest.mark.parametrize('line', SHELL)
def test_shell_line__as_written__is_understood(line, tmp_path, monkeypatch) -> None:
    program, *words = shlex.split(line)
    if program == 'torchrun':
        start = words.index('-m')
        assert words[start + 1] == 'pe_mm'
        program, words = 'pe-mm', words[start + 2 :]
    if program == 'make':
        if shutil.which('make'):
            subprocess.run(['make', '-n', *words], cwd=ROOT, check=True)
    elif program == 'pip':
        done = subprocess.run(
            [sys.executable, '-m', *line.split(), '--dry-run', '--no-deps'],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        assert 'Would install pe_mm-' in done.stdout
    elif program == 'python':
        assert (ROOT / words[0]).is_file()
        subprocess.run([sys.executable, *words, '--help'], cwd=ROOT, check=True)
    else:
        assert program == 'pe-mm'
        args = build_parser(list(COMMANDS)).parse_args(words)
        if 'config' in args:
            assert (ROOT / args.config).is_file()
        if 'encoder' in args and args.encoder.endswith('.py'):
            assert (ROOT / args.encoder).is_file()


def test_layout_map__paths__are_the_packages_folders_and_files() -> None:
    (text,) = (text for language, text in BLOCKS if language == 'text')
    listed = {line.split()[0].rstrip('/') for line in text.splitlines()}
    assert all((ROOT / path).exists() for path in listed)
    folders = {f'pe_mm/{p.parent.name}' for p in (ROOT / 'pe_mm').glob('*/__init__.py')}
    assert folders <= listed


def test_doctor__in_the_environment_of_the_tests__finds_nothing_wrong() -> None:
    assert main(['doctor']) == 0


@pytest.mark.parametrize('variant', VARIANTS.values(), ids=lambda v: v.name)
def test_variants_table__row__is_the_variants(variant: Variant) -> None:
    with torch.device('meta'):
        millions = sum(p.numel() for p in PerceptionEncoder(variant).parameters()) / 1e6
    cells = [
        variant.name,
        f'{variant.patch_size} / {variant.image_size}',
        str(variant.depth),
        str(variant.width),
        str(variant.heads),
        'yes' if variant.class_token else 'no',
        str(variant.layer_scale or 'no'),
        str(variant.embed_dim or 'no'),
        f'{millions:.1f} M',
    ]
    assert '| ' + ' | '.join(cells) + ' |' in TEXT
