"""What leaves the service: written beside what it tells of, sent by whichever process takes it, at least once (D6)."""
