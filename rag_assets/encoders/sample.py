"""The texts on which an exported model is compared with its original: varied, fixed, our own."""

ENGLISH = (
    "New employees receive their laptop and badge on the first morning.",
    "Invoices above 5,000 euros need the approval of two managers.",
    "Why does the nightly backup take longer on Sundays?",
    "The deployment failed because port 8443 was already in use.",
    "Employees may carry over up to five days of leave into the next year.",
    "def retry(attempts: int = 3) -> None: raise NotImplementedError",
    "Reset the router, wait for thirty seconds, then check the status light.",
    "| region | revenue | growth |\n|---|---|---|\n| north | 1,204 | 3.1 % |",
    "Customers praised the quiet motor but found the lid hard to open.",
    "See https://example.org/docs/setup#proxy for proxies and certificates.",
)
GERMAN = (
    "Reisekosten werden innerhalb von vier Wochen erstattet.",
    "Der Betriebsrat tagt jeden zweiten Dienstag im großen Sitzungssaal.",
    "Wie beantrage ich einen Zugang zum internen Netz?",
    "Bei Störungen der Heizung ist zuerst der Hausmeister zu verständigen.",
    "Überstunden können ausbezahlt oder als Freizeit genommen werden.",
    "Die Prüfung ergab Mängel an drei der siebzehn Maschinen.",
    "Bitte schließen Sie die Fenster, bevor Sie das Gebäude verlassen.",
    "Die Messwerte lagen zwischen 0,3 und 1,7 Millimetern.",
)
SHORTEST = ("", "a", "Hi!", "naïve café", "漢字かな", "🙂", "42", "\x00")


def agreement_sample() -> list[str]:
    """64 texts in two languages, from none to more than 256 tokens."""
    texts = list(SHORTEST)
    for index in range(64 - len(SHORTEST)):
        sentences = ENGLISH if index % 2 else GERMAN
        # lengths grow from one sentence to some twenty-five
        count = 1 + index * 25 // 56
        texts.append(" ".join(sentences[(index + k) % len(sentences)] for k in range(count)))
    return texts
