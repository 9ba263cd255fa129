#!/usr/bin/env python3
"""Exit 0 when a GET of the address is answered with 200: the image has neither curl nor wget."""

import sys
import urllib.error
import urllib.request

SECONDS = 8.0


def main() -> int:
    """Ask once; say on standard error what came instead."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(sys.argv[1], timeout=SECONDS) as answer:
            return 0 if answer.status == 200 else 1
    except (urllib.error.URLError, OSError) as error:
        print(f"{sys.argv[1]}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
