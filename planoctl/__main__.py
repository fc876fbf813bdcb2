"""`python -m planoctl`, the same as the command `planoctl`."""

from planoctl.cli import main

if __name__ == "__main__":
    main()
