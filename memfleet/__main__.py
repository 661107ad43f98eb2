"""`python -m memfleet`: the same as the command."""

from memfleet.cli import main

main()
