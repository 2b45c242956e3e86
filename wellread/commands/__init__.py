"""Words of a command line in, what a verb does said on the terminal out: a file for each verb that cli.py only names."""
