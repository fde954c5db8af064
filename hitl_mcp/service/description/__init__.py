"""The API describes itself: the OpenAPI document, browsable pages, and a short text for language models.

`table` says what each operation answers, `shapes` and `examples` say how that looks, `document` completes what the
framework knows, `guide` writes the text, `pages` serves all of it. Nothing here takes part in an operation.
"""
