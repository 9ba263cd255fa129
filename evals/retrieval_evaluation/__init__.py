"""How well the evidence is found: metrics, the comparison with the live release, what is learned."""
