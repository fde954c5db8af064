"""A table is summed up by pandas, and a person says whether it may be used.

Run it: `python -m examples.data_quality numbers.csv`
"""

from __future__ import annotations

import sys
from typing import Any

import pandas

from hitl_mcp import HITLClient

FIELDS: list[dict[str, Any]] = [
    {"name": "summary", "type": "table_display", "label": "Summary"},
    {"name": "approved", "type": "boolean", "label": "Good enough to use?", "required": True},
    {"name": "issues", "type": "checkbox_group", "label": "What is wrong?",
     "options": ["Missing values", "Outliers", "Wrong units"]},
]  # fmt: skip


def checked(client: HITLClient, table: Any) -> dict[str, Any]:
    """What a person says of a table: `approved`, `issues`, and the content they saw.

    Args:
        table: a pandas DataFrame. What it holds for a missing value is sent as null.
    """
    template = client.create_template(name="Data QA", fields=FIELDS)
    content = {"summary": table.describe().to_dict(), "first rows": table.head().to_dict()}
    review = client.create_review(template.id, content, priority="high")
    return client.wait_for_review(review.id).result


if __name__ == "__main__":
    pd: Any = pandas
    rows = pd.read_csv(sys.argv[1]) if len(sys.argv) > 1 else pd.DataFrame({"price": [9.5, None, 950.0]})
    with HITLClient() as shared:
        result = checked(shared, rows)
    print("Use it." if result["approved"] else f"Do not use it: {result['issues'] or 'nobody approved it'}")
