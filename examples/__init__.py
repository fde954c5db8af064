"""Small programs that use hitl_mcp. Each is started as `python -m examples.NAME`; see the README beside this file."""
