"""What the sources hold: a manifest of live documents, and their bytes by content.

Sources (``folder``, ``jsonl``) are listed cheaply by signature; only what changed is read. Others
use ``sources`` (registry, shards, partitions), ``manifest`` (the pure transform, and what is
pending), ``blobs`` (bytes by content), ``front_matter.body_offset`` and ``base.RECORD_MEDIA_TYPE``.
"""
