"""What each choice of a sweep is worth; `python compare.py --help` lists the options."""

import sys

from prepsweep.cli import main

if __name__ == "__main__":
    sys.exit(main(["compare", *sys.argv[1:]]))
