"""The `pe-mm` command line: one file per command.

Each file has `HELP`, `add_arguments(parser)` and `run(args)`, which returns the exit
code; `main.py` lists them. Heavy imports go into `run`, so that `--help` is quick.
"""
