"""`python -m tests.clickhouse DIRECTORY`: see `Server`."""

from __future__ import annotations

import sys

from tests.clickhouse import main

if __name__ == "__main__":
    main(*sys.argv[1:])
