"""The page a quality owner reads: releases and days of real use, and what regressed.

``data`` collects, ``findings`` puts into words, ``figures`` draws, ``page`` writes the HTML and
``export`` puts it on the disk: a folder of files that needs no server, or one single file.
"""
