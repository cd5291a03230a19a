"""`python -m ari_assistant` is the command `ari-assistant`."""

from ari_assistant.cli import main

if __name__ == "__main__":
    main()
