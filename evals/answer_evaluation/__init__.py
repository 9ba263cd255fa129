"""How good the answers are, with and without a judge.

Every golden question is asked (``answering``), scored by what needs no judge (``scoring``, one file
for each family of metrics), judged where a judge is configured, and summed up (``summary``).
"""
