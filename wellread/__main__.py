"""`python -m wellread`: the command line, where its console script is not on the PATH."""

from wellread.cli import main

if __name__ == "__main__":
    main()
