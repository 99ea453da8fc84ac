"""Flask's room: it turns requests into what the protocol room reads, and answers into responses.

    rsgi, wsgi                the two doors: our own server's, and any other's (peers: where a request comes from)
    endpoints                 machines: the protocol's endpoints, discovery and keys, without Flask
    hooks                     Dynamic's webhooks
    browser                   people: what a step of the protocol room is as a response, with its cookies
    pages                     anybody: what this server is, and what a refusal means
    ops, security_txt         operators, and whoever found a vulnerability
    answers                   JSON from Flask's part
    edge                      what nobody else answered

    page                      every page, under the headers with which it is safe to show
    render                    the pages that run no script; signin_pages and bundle: the two that do
    account                   the users' own page; account_view and account_wording: what it says
    untrusted, wording        strangers' words, and refusals, as people may see them
    device, moments           browsers and times in the words of people

No rule of the protocol stands here.
"""
