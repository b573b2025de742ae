"""What is done of a demo, kept in a file, so that it continues where it stopped."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pe_mm.checkpoints.writing import atomic_file

STATE = 'demo.json'


@dataclass
class DemoState:
    """What is done of a demo, kept in its work directory.

    Args:
        work_dir: The demo's folder.
        recipe: What the result depends on; a folder belongs to one recipe.
        seconds: Time that each finished step took.
        metrics: Name to value of every task, once all are tested.
        resumed: Tasks whose training was interrupted, so that its time is not whole.
    """

    work_dir: Path
    recipe: dict[str, Any]
    seconds: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    resumed: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, work_dir: Path, recipe: dict[str, Any]) -> 'DemoState':
        """Read the state of a folder, or begin one.

        Raises:
            ValueError: The folder holds a demo of another recipe, or something else.
        """
        # As it is read again: tuples are lists.
        recipe = json.loads(json.dumps(recipe))
        path = work_dir / STATE
        if not path.is_file():
            # A state that was killed before it was whole is no one's work.
            others = (p for p in work_dir.glob('*') if not p.match(f'.{STATE}.*'))
            if any(others):
                raise ValueError(
                    f'{work_dir} is not empty and holds no demo; choose another folder '
                    'with --work-dir'
                )
            return cls(work_dir, recipe)
        state = cls(work_dir, **json.loads(path.read_text()))
        if state.recipe != recipe:
            changed = [key for key in recipe if state.recipe.get(key) != recipe[key]]
            raise ValueError(
                f'{work_dir} holds a demo that differs in {", ".join(changed)}; '
                'replace it with --redo, or choose another folder with --work-dir'
            )
        return state

    @property
    def is_finished(self) -> bool:
        """Whether every step is done."""
        return bool(self.metrics)

    def save(self) -> None:
        """Write the state, so that a killed process leaves the old one or the new."""
        content = {
            'recipe': self.recipe,
            'seconds': self.seconds,
            'metrics': self.metrics,
            'resumed': self.resumed,
        }
        with atomic_file(self.work_dir / STATE) as temporary:
            temporary.write_text(json.dumps(content, indent=1))
