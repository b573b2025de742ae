"""Run the command line as a module: ``torchrun -m pe_mm train CONFIG``."""

import sys

from pe_mm.cli.main import main

if __name__ == '__main__':
    sys.exit(main())
