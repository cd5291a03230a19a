"""What outlives a restart: assistants, phone numbers and calls, in SQLite through SQLAlchemy and Alembic."""
