"""The one exception that is meant for the person at the keyboard."""


class UserError(Exception):
    """Something the user can mend: what is wrong, in which file or key, and what to do.

    The command line prints the message without a traceback and exits with status 1.
    """
