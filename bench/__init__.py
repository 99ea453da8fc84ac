"""What an exchange costs, beside what it cannot cost less than. `make bench` runs it.

    stage       the real server in a process tree of its own, the emulator as Dynamic
    usage       what that tree spends: CPU and memory, from Linux's /proc
    load        requests over one keep-alive connection, each answer checked
    limit       the bare cryptography of an exchange, in this process
    cases       what is asked of the server
    rounds      server and cryptography in turns; medians
    table       the figures for people
    targets     which servers are measured
    postgresql  the database server that some of them need
    slow        how everybody else fares while Dynamic is slow

Nothing in the server knows that it is measured.
"""


class BenchFailed(Exception):
    """The figures would be worth nothing. The text says why."""
