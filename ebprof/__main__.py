"""`python -m ebprof`."""

from ebprof.cli import main

main()
