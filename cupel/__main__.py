"""`python -m cupel`: the command line."""

from cupel.cli import main

main()
