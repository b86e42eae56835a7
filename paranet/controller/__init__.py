"""Drivers: how rows get onto devices and counters come back."""
