"""The API's first generation (`content` in, `decision` out), as thin adapters over the same lifecycle.

Source: compatibility section 2. `body` turns what is sent into a question of today, `answers` turns a request into what
callers of that generation read.
"""
