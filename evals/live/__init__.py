"""What real users asked: the query log by day, faithfulness of real answers, costs.

A day is one of UTC. Every table here holds whole days: a day that is computed again replaces what
was there in one transaction, so that nothing is ever counted twice.
"""
