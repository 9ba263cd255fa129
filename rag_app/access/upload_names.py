"""Names of uploaded files: what every file system and every reader takes the same way."""

import re
import unicodedata

from rag_assets.raw_documents.files import SIDECAR, is_ignored

from .errors import UploadRefused

# a file system takes 255 bytes; the sidecar's name is longer than the file's
LONGEST_BYTES = 200
_FORBIDDEN = '/\\:*?"<>|'
# control and format characters (also those that turn the direction of a text), and what has no meaning
_CATEGORIES = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


def safe_name(name: str) -> str:
    """A file name in normal form (NFC), with blanks for other spaces.

    Raises:
        UploadRefused: it is no plain name of a file.
    """
    blanks = (" " if unicodedata.category(letter) == "Zs" else letter for letter in name)
    name = unicodedata.normalize("NFC", "".join(blanks))
    problem = _problem(name)
    if problem:
        raise UploadRefused(f"The file name {problem}.", "Rename the file and send it again.")
    return name


def _problem(name: str) -> str:
    if not name:
        return "is missing"
    if len(name.encode("utf-8", "surrogatepass")) > LONGEST_BYTES:
        return f"is longer than {LONGEST_BYTES} bytes"
    if any(unicodedata.category(character) in _CATEGORIES for character in name):
        return "has control characters"
    if any(character in _FORBIDDEN for character in name):
        return f"has one of {' '.join(_FORBIDDEN)}"
    if name.startswith((".", " ")) or name.endswith((".", " ")):
        return "begins or ends with a dot or a space"
    if name.lower().endswith(SIDECAR) or is_ignored(name):
        return "is one that sources pass over"
    if _DEVICES.fullmatch(name):
        return "is that of a device on some systems"
    if not unicodedata.is_normalized("NFC", name):
        return "is not in normal form"
    return ""
