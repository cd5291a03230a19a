"""The wire contract: schemas, error bodies, server messages and override merging. No I/O.

Facts come from `vapi-contract.md`; a section number in a docstring (`§7.5`) names its section there.
"""
