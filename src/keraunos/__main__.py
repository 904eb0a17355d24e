"""`python -m keraunos`."""

from keraunos.cli import main

if __name__ == "__main__":
    main()
