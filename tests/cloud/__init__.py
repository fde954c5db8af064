"""Tests of the cloud backend, and the simulated cloud they run against."""
