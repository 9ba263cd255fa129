"""What exists: one folder per node of the lineage graph, in the order the data flows.

``platform`` and ``encoders`` are the ground floor; then ``raw_documents``, ``parsed_documents``,
``chunks``, ``embeddings``, ``vector_index``, ``releases`` and ``query``. A folder imports only from
folders before it.
"""
