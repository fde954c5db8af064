"""How the service is reached: the layers between a socket and a route, from the outside in.

`protocol` bounds what a connection may send, `logs` names each call, `guard` decides by host which face answers,
`prefixes` and `methods` mend paths and verbs, `limits` counts a key's calls, `auth` says who calls, `envelope` and
`faults` word the replies. `app` puts them together.
"""
