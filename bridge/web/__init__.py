"""Flask's room: it turns requests into what the protocol room reads, and answers into responses.

`endpoints` for machines, `pages` for people, `ops` for operators. No rule of the protocol stands here.
"""
