"""What real users asked: the query log by day, faithfulness of real answers, costs."""
