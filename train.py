"""Train on data prepared as the command line says; `python train.py --help` lists the options."""

import sys

from prepsweep.cli import train

if __name__ == "__main__":
    sys.exit(train())
