"""Progress of the rendering where there is no terminal for a bar."""


class TenthPrinter:
    """Print a line at every tenth of the work.

    Args:
        label: What every line begins with.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._shown = -1

    def __call__(self, done: int, total: int) -> None:
        """Report ``done`` of ``total`` jobs; nothing to do counts as finished."""
        tenth = 10 * done // total if total else 10
        if tenth > self._shown:
            self._shown = tenth
            print(f'{self._label}{done} of {total}', flush=True)
