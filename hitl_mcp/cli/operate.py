"""Operating a service: doctor, backup, restore, migrate."""
