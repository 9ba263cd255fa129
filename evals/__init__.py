"""How good is it? Golden questions, metrics, judges, gates and costs will live here."""
