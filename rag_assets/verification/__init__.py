"""Verification: does a release hold what the registry, the tables and its own hashes say?"""
