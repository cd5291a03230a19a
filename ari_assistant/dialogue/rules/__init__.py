"""The built-in dialogue: facts, opening hours, intents and slots from the assistant's own configuration.

Deterministic and honest: it says what the operator wrote, and that it does not know otherwise. `config` is what an
operator writes, `phrases` knows what is said on every telephone, `matcher` finds what is meant, `slots` takes values
out of what was said, `hours` knows the week, `model` holds the conversation.
"""
