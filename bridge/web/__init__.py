"""Flask's room: it turns requests into what the protocol room reads, and answers into responses.

    endpoints, hooks          machines: clients, and Dynamic's webhooks
    browser                   people: what a step of the protocol room is as a response, with its cookies
    documents, pages          anybody: discovery and keys; what this server is, and what a refusal means
    ops, security_txt         operators, and whoever found a vulnerability
    answers                   what several of them answer with
    edge                      what nobody else answered

    page                      every page, under the headers with which it is safe to show
    render                    the pages that run no script; signin_pages and bundle: the two that do
    account                   the users' own page; account_view and account_wording: what it says
    untrusted, wording        strangers' words, and refusals, as people may see them
    device, moments           browsers and times in the words of people

No rule of the protocol stands here.
"""
