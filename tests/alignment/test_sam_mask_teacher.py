"""Logits of tiny SAM and SAM 2 models against transformers, one point at a time."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement

from pe_mm.alignment import SamMaskTeacher
from pe_mm.alignment.sam_models import load_sam
from pe_mm.checkpoints import CheckpointError

transformers = pytest.importorskip('transformers')

SIZE = 64
PROMPT = {'hidden_size': 16, 'image_size': SIZE}
DECODER = {
    'hidden_size': 16,
    'mlp_dim': 16,
    'num_attention_heads': 2,
    'iou_head_hidden_dim': 16,
}


def sam():
    vision = {
        'hidden_size': 8,
        'output_channels': 16,
        'num_hidden_layers': 1,
        'num_attention_heads': 1,
        'image_size': SIZE,
        'window_size': 2,
        'global_attn_indexes': [0],
        'num_pos_feats': 8,
    }
    return transformers.SamModel(
        transformers.SamConfig(
            vision_config=vision,
            prompt_encoder_config=PROMPT,
            mask_decoder_config=DECODER,
        )
    )


def sam2():
    hiera = transformers.Sam2HieraDetConfig(
        hidden_size=8,
        image_size=[SIZE, SIZE],
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 1, 1],
        window_size_per_stage=[4, 4, 4, 4],
        global_attention_blocks=[3],
    )
    vision = transformers.Sam2VisionConfig(
        backbone_config=hiera,
        backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
        fpn_hidden_size=16,
    )
    return transformers.Sam2Model(
        transformers.Sam2Config(
            vision_config=vision,
            prompt_encoder_config=PROMPT,
            mask_decoder_config=DECODER,
        )
    )


@pytest.fixture(scope='module', params=[sam, sam2], ids=['sam', 'sam2'])
def checkpoint(request, tmp_path_factory):
    torch.manual_seed(0)
    model = request.param()
    for parameter in model.parameters():
        # Larger than fresh weights, so that masks of different points differ.
        torch.nn.init.normal_(parameter, std=0.3)
    folder = tmp_path_factory.mktemp('sam')
    model.save_pretrained(folder)
    return folder


def teacher(folder, **options):
    built = SamMaskTeacher(
        str(folder), **{'points_per_side': 3, 'points_per_batch': 4, **options}
    )
    built.init_weights()
    return built


def image(batch=2):
    return torch.rand(batch, 3, 32, 48) * 2 - 1


def naive(folder, images, output):
    """Each point alone, through transformers' forward from pixels to masks."""
    model = load_sam(str(folder), torch.float32)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    pixels = (images * 0.5 + 0.5 - mean) / std
    pixels = F.interpolate(pixels, (SIZE, SIZE), mode='bilinear', antialias=True)
    channels = []
    for y in (1, 3, 5):
        for x in (1, 3, 5):
            point = torch.tensor([x / 6 * SIZE, y / 6 * SIZE])
            out = model(
                pixel_values=pixels,
                input_points=point.expand(len(images), 1, 1, 2),
                multimask_output=output != 'single',
            )
            masks, scores = out.pred_masks[:, 0], out.iou_scores[:, 0]
            if output == 'single':
                mask = masks[:, 0]
            elif output == 'best':
                mask = torch.stack(
                    [m[s.argmax()] for m, s in zip(masks, scores, strict=True)]
                )
            else:
                mask = masks[:, output]
            channels.append(F.avg_pool2d(mask, (4, 2)).flatten(1))
    return torch.stack(channels, -1)


@pytest.mark.parametrize('output', ['single', 'best', 2])
def test_features__equal_transformers_one_point_at_a_time(checkpoint, output):
    images = image()

    features = teacher(checkpoint, output=output)(images, None, (4, 8))

    expected = naive(checkpoint, images, output)
    assert features.shape == (2, 32, 9)
    assert expected.std(-1).min() > 0
    torch.testing.assert_close(features, expected, rtol=1e-3, atol=1e-4)


def test_clamp_and_interpolation__change_the_logits_as_they_say(checkpoint):
    images = image(1)
    plain = teacher(checkpoint)(images, None, (16, 16))
    limit = plain.abs().median().item()

    clamped = teacher(checkpoint, clamp=limit)(images, None, (16, 16))
    bilinear = teacher(checkpoint, interpolation='bilinear')(images, None, (16, 16))

    # The logits' own grid: nothing to interpolate.
    torch.testing.assert_close(clamped, plain.clamp(-limit, limit))
    torch.testing.assert_close(bilinear, plain)


def test_half_precision__gives_nearly_the_same_similarities(checkpoint):
    images = image(1)

    def similarity(dtype):
        features = teacher(checkpoint, dtype=dtype)(images, None, (4, 4))
        unit = F.normalize(features.float(), dim=-1)
        return unit @ unit.mT

    difference = (similarity('bfloat16') - similarity('float32')).abs()
    assert 0 < difference.max() < 0.2


def test_cache__second_pass__runs_no_model(checkpoint, tmp_path):
    images = image()
    samples = [BaseDataElement(metainfo={'sample_id': str(k)}) for k in range(2)]
    first = teacher(checkpoint, cache_dir=str(tmp_path))
    features = first(images, samples, (4, 4))
    again = teacher(checkpoint, cache_dir=str(tmp_path))
    again.model.get_image_embeddings = None  # Calling it would be an error.

    assert torch.equal(again(images, samples, (4, 4)), features)
    torch.testing.assert_close(
        features, teacher(checkpoint)(images, None, (4, 4)).half()
    )
    with pytest.raises(ValueError, match='cache_dir needs sample_id'):
        again(images, None, (4, 4))


def test_not_loaded__says_so(checkpoint):
    with pytest.raises(RuntimeError, match='call init_weights'):
        SamMaskTeacher(str(checkpoint))(image(), None, (4, 4))


def test_checkpoint__missing_or_another_model__is_one_clear_error(tmp_path):
    with pytest.raises(CheckpointError, match='cannot load SAM from .*give a folder'):
        load_sam(str(tmp_path / 'missing'), torch.float32)
    transformers.ViTConfig().save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="is a 'vit' model.*'sam2'"):
        load_sam(str(tmp_path), torch.float32)


def test_checkpoint__without_some_weights__names_them(checkpoint, tmp_path):
    from safetensors.torch import load_file, save_file

    weights = load_file(checkpoint / 'model.safetensors')
    del weights['mask_decoder.iou_token.weight']
    save_file(weights, tmp_path / 'model.safetensors', {'format': 'pt'})
    (tmp_path / 'config.json').write_text((checkpoint / 'config.json').read_text())

    with pytest.raises(CheckpointError, match=r'lacks 1 weights.*iou_token.weight'):
        load_sam(str(tmp_path), torch.float32)


@pytest.mark.parametrize(
    'options',
    [{'output': 3}, {'interpolation': 'cubic'}, {'dtype': 'int8'}, {'clamp': 0.0}],
)
def test_options__impossible__say_what_is_allowed(options):
    (name,) = options

    with pytest.raises(ValueError, match=f'{name} must be'):
        SamMaskTeacher('sam', **options)
