"""The REST API: one module a resource, in Vapi's contract."""
