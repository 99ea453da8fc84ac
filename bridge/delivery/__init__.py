"""Carries the outbox out: what other rooms owe to relying parties, to Dynamic, or to themselves.

    a transaction that ends something     puts a message (store/outbox: kind, receiver, facts)
    deliver    who has something due?     a lane for each receiver, a thread for each lane
    claim      a few messages, on a lease
    carriers   one for each kind; parts.py registers them
      backchannel    mints a logout token and posts it (Back-Channel Logout 1.0)
      reread         asks Dynamic how a user is now
      rest           closes one more batch of what has ended
    settling   what came of it: done, again later (pace says when), or given up; how the receiver is; the audit entry
    turns      how delivery writes, so that no request waits for it

A message that fails holds back nobody else's: its receiver is left alone for a while, then probed by one message, and
gets all the others as soon as it takes that one.
"""
