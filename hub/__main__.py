"""`python -m hub` is `paranet serve`."""

import sys

from hub.cli import main

if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(main(arguments if arguments[:1] == ["serve"] else ["serve", *arguments]))
