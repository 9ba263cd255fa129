"""LLMs as judges of answers (ragas, deepeval), and an account of every judgement."""
