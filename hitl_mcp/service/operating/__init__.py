"""Operating a service: metrics, figures, anchors of the event log, its export, retention."""
