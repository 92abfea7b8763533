"""`python -m lungflag`."""

from lungflag.cli import main

main()
