"""The HITL.sh cloud as a backend: what its contract lacks is emulated here, within 100 calls an hour (D8, H30 to H33).

`backend.Cloud` is what the client sees. Below it: `watching` (waits for decisions), `asking` (creates), `metered` (the
only way to the wire, which keeps the ledger), `share` (what the processes of this machine know together), and the pure
parts `budget`, `schedule`, `listing`, `reading`, `answers`, `approvals`, `once`, `operations`.
"""
