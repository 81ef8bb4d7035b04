"""`python -m services.allinone` is the `orca` command."""

from services.allinone.cli import main

main()
