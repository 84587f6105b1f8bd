"""``python -m hpvade``."""

from hpvade.cli import main

if __name__ == "__main__":
    main()
