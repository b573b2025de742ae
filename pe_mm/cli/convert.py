"""`pe-mm convert`: rename a checkpoint's encoder, or a detectron2 detector."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pe_mm.checkpoints import Conversion, DetectorConversion
    from pe_mm.checkpoints.converting import Target

HELP = "convert weights between Meta's, timm's, detectron2's and this package's layout"
SUFFIXES = ('.pt', '.pth', '.bin', '.safetensors')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        'input',
        metavar='IN',
        help='checkpoint in any layout: a path, or hf://owner/repo/file',
    )
    parser.add_argument(
        'output',
        metavar='OUT',
        type=Path,
        help=f'file to write; its suffix is one of {", ".join(SUFFIXES)}',
    )
    parser.add_argument(
        '--from',
        dest='source',
        choices=('encoder', 'detectron2'),
        default='encoder',
        help='what to take of IN: its encoder, or the whole of a Mask R-CNN of '
        'detectron2, which becomes a checkpoint for mmdet (default: encoder)',
    )
    parser.add_argument(
        '--to',
        choices=('meta', 'timm', 'ours'),
        help="layout of an encoder's OUT: Meta's names, timm's, or timm's with a note "
        'of the origin (default: ours)',
    )
    parser.add_argument(
        '--sigmoid',
        action='store_true',
        help="the detectron2 model's classifier has a sigmoid per class; known by "
        'itself where it has the class weights of a federated loss, as on LVIS',
    )
    parser.add_argument(
        '--variant',
        metavar='NAME',
        help='check that these are weights of this variant, e.g. PE-Spatial-B16-512',
    )
    parser.add_argument(
        '--prefix',
        help="what the encoder's names start with, where IN holds several encoders",
    )
    parser.add_argument(
        '--report',
        metavar='FILE',
        type=Path,
        help='write a JSON report: old names, new name, shape of every tensor',
    )
    parser.add_argument(
        '--force', action='store_true', help='replace OUT and the report if they exist'
    )


def run(args: argparse.Namespace) -> int:
    """Convert; return the exit code.

    Raises:
        ValueError: An argument is wrong, or the checkpoint is (CheckpointError).
        FileExistsError: OUT or the report exists, and not ``--force``.
    """
    from pe_mm.checkpoints import read_checkpoint

    _check_options(args)
    _check_outputs(args.output, args.report, force=args.force)
    convert = _convert_encoder if args.source == 'encoder' else _convert_detectron2
    print(convert(args, read_checkpoint(args.input)))
    return 0


def _convert_encoder(args: argparse.Namespace, checkpoint: Mapping[str, Any]) -> str:
    """Write the encoder and the report; return what was done."""
    from pe_mm.checkpoints import convert_state_dict

    if args.variant is not None:
        _check_variant(args.variant, args.input, args.prefix)
    layout: Target = args.to or 'ours'
    conversion = convert_state_dict(checkpoint, layout, prefix=args.prefix)
    names = conversion.variants if args.variant is None else [args.variant]
    variant = names[0] if len(names) == 1 else None
    facts = _facts(args, conversion) | {'layout': layout, 'variant': variant or ''}
    _write(
        args,
        conversion,
        facts | {'candidates': names},
        meta=facts if layout == 'ours' else None,
    )
    return (
        f'{args.output}: {len(conversion.tensors)} tensors in the layout {layout!r}, '
        f'from {conversion.layout!r} ({" or ".join(names) or "a custom variant"}), '
        f'{len(conversion.skipped)} skipped'
    )


def _convert_detectron2(args: argparse.Namespace, checkpoint: Mapping[str, Any]) -> str:
    """Write the detector and the report; return what was done."""
    from pe_mm.checkpoints import convert_detectron2

    conversion = convert_detectron2(checkpoint, sigmoid=args.sigmoid)
    names = ' or '.join(conversion.variants)
    facts = _facts(args, conversion) | {
        'layout': 'mmdet',
        'variant': names,
        'config': conversion.config or '',
    }
    _write(
        args,
        conversion,
        facts
        | {
            'num_classes': conversion.num_classes,
            'sigmoid': conversion.sigmoid,
            'warnings': conversion.warnings,
        },
        meta=facts | _dataset_meta(conversion),
    )
    kind = 'sigmoid' if conversion.sigmoid else 'softmax'
    fits = (
        f'; its config is configs/detection/{conversion.config}.py'
        if conversion.config
        else ', none of the released detectors'
    )
    told = (
        f'{args.output}: {len(conversion.tensors)} tensors for mmdet, '
        f'{len(conversion.skipped)} skipped. Mask R-CNN on '
        f'{names or "a custom encoder"}, {conversion.num_classes} classes '
        f'({conversion.dataset or kind}){fits}'
    )
    return '\n'.join((told, *(f'warning: {text}' for text in conversion.warnings)))


def _facts(args: argparse.Namespace, conversion: 'Conversion') -> dict[str, str]:
    import pe_mm

    return {
        'source': args.input,
        'source_layout': conversion.layout,
        'pe_mm_version': pe_mm.__version__,
    }


def _dataset_meta(conversion: 'DetectorConversion') -> dict[str, Any]:
    """Return class names and colours where mmdet looks for them, if they are known."""
    if conversion.dataset is None:
        return {}
    from mmdet.datasets import CocoDataset, LVISV1Dataset

    datasets = {'coco': CocoDataset, 'lvis': LVISV1Dataset}
    return {'dataset_meta': dict(datasets[conversion.dataset].METAINFO)}


def _write(
    args: argparse.Namespace,
    conversion: 'Conversion',
    facts: Mapping[str, Any],
    *,
    meta: Mapping[str, Any] | None,
) -> None:
    """Write OUT and the report."""
    from pe_mm.checkpoints.values import check_not_meta
    from pe_mm.checkpoints.writing import replacing, save_checkpoint

    check_not_meta(args.input, conversion.tensors)
    save_checkpoint(args.output, conversion.tensors, meta=meta)
    if args.report is None:
        return
    report = {
        **facts,
        'output': str(args.output),
        'tensors': list(conversion.rows()),
        'skipped': conversion.skipped,
    }
    with replacing(args.report) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + '\n')


def _check_options(args: argparse.Namespace) -> None:
    """Refuse options that say nothing about what is converted."""
    if args.source == 'encoder':
        if args.sigmoid:
            raise ValueError('--sigmoid is for --from detectron2')
        return
    for option in ('to', 'variant', 'prefix'):
        if getattr(args, option) is not None:
            raise ValueError(
                f'--{option} is for an encoder alone, not for --from detectron2, whose '
                'OUT is a whole detector for mmdet'
            )
    if args.output.suffix == '.safetensors':
        raise ValueError(
            f'{args.output}: mmdet reads torch files only; let OUT end in .pth'
        )


def _check_outputs(output: Path, report: Path | None, *, force: bool) -> None:
    if output.suffix not in SUFFIXES:
        raise ValueError(
            f'{output}: the suffix must be one of {", ".join(SUFFIXES)}, '
            f'got {output.suffix!r}'
        )
    if report is not None and report.resolve() == output.resolve():
        raise ValueError(f'OUT and --report are the same file, {output}')
    for path in filter(None, (output, report)):
        if path.is_dir():
            raise ValueError(f'{path} is a folder; give a file name in it')
        if path.exists() and not force:
            raise FileExistsError(f'{path} exists; pass --force to replace it')


def _check_variant(name: str, source: str, prefix: str | None) -> None:
    """Check the weights against an encoder of the variant that has every part."""
    import torch

    from pe_mm.backbones import PerceptionEncoder
    from pe_mm.checkpoints import CheckpointError
    from pe_mm.checkpoints.loading import plan_load
    from pe_mm.variants import resolve_variant

    variant = resolve_variant(name)
    with torch.device('meta'):
        encoder = PerceptionEncoder(
            variant,
            apply_final_norm=variant.final_norm,
            with_pooling=variant.pool is not None,
        )
    report = plan_load(encoder, source, prefix=prefix).report
    problems = (*report.resampled.values(), *report.warnings)
    if problems:
        raise CheckpointError(f'{source} is not {name}: {"; ".join(problems)}')
