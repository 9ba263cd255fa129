"""Learning from judged questions how a corpus is best searched, and when to abstain."""
