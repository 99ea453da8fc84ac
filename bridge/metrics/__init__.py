"""What is counted and measured, and how it is told. The only door to prometheus_client (docs/decisions/0021).

    instruments   what requests and jobs move, by its name; Reading: what is read when somebody asks
    exposition    all of it as text, of every process of this server
    folder        where the processes of one server keep their counts, and what becomes of those of dead ones

Labels take few values, all of them ours: routes, statuses, reasons, grant types, environments. Never a path, a client's
or a user's id.
"""
