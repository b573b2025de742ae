"""`pe-mm convert`: rename a checkpoint's encoder to another layout."""

import argparse
import json
from pathlib import Path

HELP = "convert weights between Meta's, timm's and this package's layout"
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
        '--to',
        choices=('meta', 'timm', 'ours'),
        default='ours',
        help="layout of OUT: Meta's names, timm's, or timm's with a note of the origin "
        '(default: ours)',
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
    import pe_mm
    from pe_mm.checkpoints import convert_state_dict, read_checkpoint
    from pe_mm.checkpoints.writing import replacing, save_checkpoint

    _check_outputs(args.output, args.report, force=args.force)
    checkpoint = read_checkpoint(args.input)
    if args.variant is not None:
        _check_variant(args.variant, args.input, args.prefix)
    conversion = convert_state_dict(checkpoint, args.to, prefix=args.prefix)
    names = conversion.variants if args.variant is None else [args.variant]
    variant = names[0] if len(names) == 1 else None
    facts = {
        'source': args.input,
        'source_layout': conversion.layout,
        'layout': args.to,
        'variant': variant or '',
        'pe_mm_version': pe_mm.__version__,
    }
    save_checkpoint(
        args.output, conversion.tensors, meta=facts if args.to == 'ours' else None
    )
    if args.report is not None:
        report = {
            **facts,
            'output': str(args.output),
            'candidates': names,
            'tensors': list(conversion.rows()),
            'skipped': conversion.skipped,
        }
        with replacing(args.report) as temporary:
            temporary.write_text(json.dumps(report, indent=2) + '\n')
    print(
        f'{args.output}: {len(conversion.tensors)} tensors in the layout {args.to!r}, '
        f'from {conversion.layout!r} ({" or ".join(names) or "a custom variant"}), '
        f'{len(conversion.skipped)} skipped'
    )
    return 0


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
