"""Flask's room: it turns requests into what the protocol room reads, and answers into responses.

`endpoints` for machines, `browser` for people on their way through a sign-in, `documents` and `pages` for anybody,
`ops` for operators; `render` makes every page (`page`: under its headers, `untrusted`: strangers' words in it,
`wording`: refusals for people), `bundle` and `signin_pages` those that run the script of login-page/; `edge` answers
what nobody else did. No rule of the protocol stands here.
"""
