"""The wire contract: schemas, error bodies, server messages and override merging. No I/O.

A section number in a docstring (`§7.5`) names a section of docs/contract.md.
"""
