"""The command line: `python voxchord.py --help`."""

from cli.main import main

if __name__ == "__main__":
    main()
