"""What may live and what must end. The one gate before every issue; later, every closing and its cause.

No Authlib, no Flask: rules over values of bridge.model.
"""
