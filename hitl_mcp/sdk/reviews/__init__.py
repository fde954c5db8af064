"""The oldest vocabulary, in a place of its own: reviews made from templates, and the first generation's helpers.

A review *is* a request: this package says what to ask (`building`), reads what came of it (`results`), and knows where
templates are kept (`templates`, `folder`). Nothing else of the client knows it. Source: compatibility section 3.
"""
