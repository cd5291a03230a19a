"""What is told and kept of a call: its record, server messages, report, analysis."""
