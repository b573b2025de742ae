"""The folder that tracking writes: masks clip by clip, then tables of all of them."""

import csv
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pe_mm.checkpoints.writing import atomic_file, make_out_folder
from pe_mm.data.storage import write_indexed_png

from .clip_tracking import LabelMap
from .davis_dataset import Clip
from .davis_metric import ObjectFrames, Summary

RUN = 'run.json'
MASKS = 'masks'
SEQUENCES = 'sequences'
OVERLAYS = 'overlays'
METRICS = 'metrics'
OBJECTS = 'objects.csv'

_OURS = (MASKS, SEQUENCES, OVERLAYS, f'{METRICS}.json', f'{METRICS}.csv', OBJECTS)
_MADE_BY = 'pe-mm track'

Scores = Mapping[int, Sequence[ObjectFrames]]


class TrackFolder:
    """A folder of tracked clips, to which a later run adds what is missing.

    Args:
        root: The folder, which is made if it is missing.
        settings: All that the masks depend on, as plain data. A folder that has
            finished clips of others is refused; masks of unfinished ones are deleted.

    Attributes:
        root: The folder.
        settings: The settings, as JSON has them.

    Raises:
        OSError: It cannot be made or written to, or it is a file.
        ValueError: It was made with other settings, or has files of another origin that
            could be overwritten.
    """

    def __init__(self, root: Path, settings: Mapping[str, Any]) -> None:
        make_out_folder(root)
        self.root = root
        # Tuples and paths as JSON has them, to compare with what is read.
        self.settings: dict[str, Any] = json.loads(json.dumps(settings))
        earlier = self._earlier_settings()
        if earlier == self.settings:
            return
        if any((root / SEQUENCES).glob('*.json')):
            raise ValueError(
                f'--out {root} has clips that were tracked with other settings: '
                f'{_differences(earlier or {}, self.settings)}; nothing was changed, '
                'give another folder'
            )
        shutil.rmtree(root / MASKS, ignore_errors=True)
        self._write(RUN, _json({'made_by': _MADE_BY, 'settings': self.settings}))

    def mask_path(self, layer: int, clip: Clip, index: int) -> Path:
        """Return where the mask of a frame is; the names are the frames'."""
        name = f'{clip.frames[index].stem}.png'
        return self.root / MASKS / layer_name(layer) / clip.name / name

    def write_mask(
        self, layer: int, clip: Clip, index: int, ids: LabelMap, palette: Sequence[int]
    ) -> None:
        """Write the object ids of a frame as the official evaluation reads them."""
        write_indexed_png(self.mask_path(layer, clip, index), ids, palette)

    def read_scores(self, clip: Clip) -> dict[int, list[ObjectFrames]] | None:
        """Return the scores of a clip that is finished; None where it is not.

        A clip whose frames or annotations have other names or sizes by now is not.

        Raises:
            ValueError: The file of its scores is damaged.
        """
        path = self._sequence(clip)
        try:
            content = json.loads(path.read_bytes())
            if content['files'] != _file_sizes(clip):
                return None
            return {
                int(layer): [ObjectFrames(**scored) for scored in objects]
                for layer, objects in content['layers'].items()
            }
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f'{path} is damaged; delete it, and the clip is tracked again'
            ) from error

    def write_scores(self, clip: Clip, scores: Scores, encoded: Sequence[int]) -> None:
        """Mark a clip as finished, with its scores, once all its masks are written.

        Args:
            clip: The clip.
            scores: Of each layer; without objects where the clip is not annotated.
            encoded: (height, width) at which its frames were encoded.
        """
        content = {
            'files': _file_sizes(clip),
            'encoded_size': list(encoded),
            'layers': {
                str(layer): [asdict(scored) for scored in objects]
                for layer, objects in scores.items()
            },
        }
        self._write(f'{SEQUENCES}/{clip.name}.json', _json(content))

    def write_tables(self, clips: Sequence[Scores]) -> list[dict[str, Any]]:
        """Write the numbers of all layers and of all objects, in percent.

        Args:
            clips: The scores of clips that are annotated; without any, tables of an
                earlier run are deleted.

        Returns:
            A row for each layer.
        """
        if not clips:
            for name in (f'{METRICS}.json', f'{METRICS}.csv', OBJECTS):
                (self.root / name).unlink(missing_ok=True)
            return []
        scores = {
            layer: [o for clip in clips for o in clip[layer]] for layer in clips[0]
        }
        layers = [
            {'Layer': layer, **Summary.of(objects).as_percent()}
            for layer, objects in scores.items()
        ]
        rows = object_rows(scores)
        content = {
            **self.settings,
            'unit': 'percent',
            'layers': layers,
            'objects': rows,
        }
        self._write(f'{METRICS}.json', _json(content))
        self._write(f'{METRICS}.csv', _csv(layers))
        self._write(OBJECTS, _csv(rows))
        return layers

    def _sequence(self, clip: Clip) -> Path:
        return self.root / SEQUENCES / f'{clip.name}.json'

    def _earlier_settings(self) -> dict[str, Any] | None:
        try:
            content = json.loads((self.root / RUN).read_bytes())
        except FileNotFoundError:
            content = None
        except ValueError:
            content = {}
        if isinstance(content, dict) and content.get('made_by') == _MADE_BY:
            return dict(content.get('settings') or {})
        foreign = [n for n in (RUN, *_OURS) if (self.root / n).exists()]
        if foreign:
            raise ValueError(
                f'--out {self.root} has {", ".join(foreign)} of no earlier run of '
                f'{_MADE_BY}, which could be overwritten; give a folder of its own'
            )
        return None

    def _write(self, place: str, data: bytes) -> None:
        with atomic_file(self.root / place) as temporary:
            temporary.write_bytes(data)


def layer_name(layer: int) -> str:
    """Name the folder of a layer's masks."""
    return f'layer-{layer:02d}'


def object_rows(scores: Scores) -> list[dict[str, Any]]:
    """List every object of every layer, named as in the official table, in percent."""
    return [
        {
            'Layer': layer,
            'Sequence': f'{scored.sequence}_{scored.object_id}',
            **Summary.of([scored]).as_percent(),
        }
        for layer, objects in scores.items()
        for scored in objects
    ]


def _file_sizes(clip: Clip) -> dict[str, dict[str, int]]:
    masks = [path for path in clip.masks if path is not None]
    return {
        kind: {path.name: path.stat().st_size for path in paths}
        for kind, paths in (('frames', clip.frames), ('masks', masks))
    }


def _differences(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    earlier, now = _flat(earlier), _flat(now)
    return ', '.join(
        f'{key} was {earlier.get(key)} and is {now.get(key)}'
        for key in sorted({*earlier, *now})
        if earlier.get(key) != now.get(key)
    )


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Lift what is inside of the protocol beside the other settings."""
    both = {**settings, **settings.get('protocol', {})}
    return {key: value for key, value in both.items() if key != 'protocol'}


def _json(content: Any) -> bytes:
    return (json.dumps(content) + '\n').encode()


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO(newline='')
    writer = csv.DictWriter(text, list(rows[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(
        {k: f'{v:.3f}' if isinstance(v, float) else v for k, v in row.items()}
        for row in rows
    )
    return text.getvalue().encode()
