"""Flask's room: it turns requests into what the protocol room reads, and answers into responses.

`endpoints` for machines, `browser` for people on their way through a sign-in, `documents` and `pages` for anybody,
`ops` for operators; `render` makes every page (`untrusted`: strangers' words in it, `wording`: refusals for people),
`edge` answers what nobody else did. No rule of the protocol stands here.
"""
