"""The HITL.sh cloud as its documents describe it, for tests: there is no account to test with.

Written from the notes on the public documents and from nothing else: it imports nothing of `hitl_mcp`, so that a
misreading on our side is not repeated here. A number in brackets such as (2.4) is the section of the notes that a rule
comes from; "undocumented" marks the few places where an answer had to be chosen.

`Cloud` is the control object of a test, `Manners` are its lasting habits and `oddities()` all of them that are not the
default, `Fault` spoils single calls, `served` puts it on a real loopback port.
"""

from tests.cloud.simulated.cloud import Cloud
from tests.cloud.simulated.faults import Fault
from tests.cloud.simulated.manners import Manners, oddities
from tests.cloud.simulated.served import served

__all__ = ["Cloud", "Fault", "Manners", "oddities", "served"]
