"""The sections of the settings, one file a topic; ``settings.py`` puts them together."""
