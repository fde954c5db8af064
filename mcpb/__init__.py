"""The MCPB bundle: what a client installs by opening one file.

`manifest.json` is the bundle's; `package.json` pins the tool that validates and packs it.
"""
