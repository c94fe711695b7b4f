"""Bota's end users, devices and their configuration."""
