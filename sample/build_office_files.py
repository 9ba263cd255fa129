"""Build the PDF, Word, PowerPoint and Excel files of the sample handbook.

The text of the files lives in this script. Dates and metadata are fixed and archives are
repacked in a stable order, so a second run writes the same bytes. Run it from anywhere:

    uv run --with reportlab==5.1.0 --with python-docx==1.2.0 --with python-pptx==1.0.2 \
        --with openpyxl==3.1.5 python sample/build_office_files.py

The access lists and titles of these files are in the ``*.meta.toml`` files beside them.
"""

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from docx import Document
from openpyxl import Workbook
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from pptx import Presentation
from pptx.util import Inches, Pt
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    ListFlowable,
    ListItem,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

HANDBOOK = Path(__file__).resolve().parent / "handbook"
COMPANY = "Tarnwick Instruments"
FIXED_DATE = datetime(2026, 1, 15, 9, 0, 0, tzinfo=UTC)
FIXED_STAMP = "2026-01-15T09:00:00Z"
ZIP_DATE = (2026, 1, 15, 9, 0, 0)


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the title of the document."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph of running text."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list, numbered or with bullets."""

    items: Sequence[str]
    numbered: bool = False


@dataclass(frozen=True)
class Grid:
    """A table whose first row is the header."""

    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class NewPage:
    """A page break (PDF only)."""


Block = Heading | Text | Bullets | Grid | NewPage


@dataclass(frozen=True)
class Slide:
    """A slide with a title and either bullet points or a table, and speaker notes."""

    title: str
    bullets: Sequence[str] = ()
    table: Sequence[Sequence[str]] = ()
    notes: str = ""


@dataclass(frozen=True)
class Sheet:
    """A worksheet: a header row, data rows and column widths."""

    name: str
    rows: Sequence[Sequence[str | int | float]]
    widths: Sequence[int]


# --------------------------------------------------------------------------------------
# PDF
# --------------------------------------------------------------------------------------

CALIBRATION: list[Block] = [
    Heading("Calibration procedure CP-07", 1),
    Text(
        "Valid for TW-40 and TW-90 sensor heads. Issue 6, 3 November 2025. Approved by "
        "Dr Henrike Osterloh, head of the calibration laboratory."
    ),
    Heading("1 Scope and equipment"),
    Text(
        "Every sensor head is calibrated before first delivery, after each repair of the head "
        "and at the request of the customer. River gauges follow procedure CP-11."
    ),
    Text(
        "The laboratory is kept at 21 °C with a band of 1 °C to either side. Devices rest in the "
        "laboratory for at least four hours before work begins, so that the housing has the "
        "temperature of the room."
    ),
    Grid(
        [
            ["Reference instrument", "Asset tag", "Recalibrated every"],
            ["Thermometer bridge with two probes", "TW-1040", "12 months"],
            ["Dew-point mirror", "TW-1044", "12 months"],
            ["Barometer", "TW-1045", "18 months"],
            ["Pitot tube of the wind tunnel", "TW-1046", "24 months"],
        ]
    ),
    Text(
        "A reference instrument whose date has passed is moved to the red shelf. It may not be "
        "used, even if the customer is waiting."
    ),
    NewPage(),
    Heading("2 Temperature and humidity"),
    Text(
        "Temperature is compared at four points: -20 °C, 0 °C, 20 °C and 40 °C. At each point "
        "the chamber has to be stable for 25 minutes before the first reading is taken. Ten "
        "readings at intervals of 30 seconds are averaged."
    ),
    Text(
        "The deviation may not exceed 0.15 K for the TW-90 and 0.30 K for the TW-40. Heads "
        "outside these values are adjusted once and measured again from the beginning. A second "
        "failure sends the head to repair."
    ),
    Text(
        "Humidity is compared at 15, 45 and 80 percent at a temperature of 23 °C. The tolerance "
        "is 2 percent relative humidity for both models. Begin with the driest point, because "
        "the sensor recovers slowly from moisture."
    ),
    Heading("2.1 Early sign-off", 3),
    Text(
        "The chamber software does not accept a result before the soak time has passed. A "
        "request to switch this lock off is refused and reported to the head of the laboratory."
    ),
    NewPage(),
    Heading("3 Pressure, wind and certificate"),
    Text(
        "Pressure is compared at 700, 850, 1000 and 1050 hPa, with a tolerance of 0.3 hPa. Wind "
        "speed is compared in the tunnel at 2, 5, 10 and 20 metres per second. The tolerance is "
        "0.2 m/s up to ten metres per second and two percent above."
    ),
    Text(
        "Wind direction is checked in steps of 45 degrees. The head is turned by hand on the "
        "indexing plate; the plate itself is checked every January with the optical square."
    ),
    Heading("3.1 Certificate and label", 3),
    Bullets(
        [
            "The certificate is valid for 24 months from the date of measurement.",
            "A green label is fixed to the base of the head; adjusted heads get a blue label.",
            "Certificates are signed by two people and stored for 15 years.",
            "A number is never used twice, not even if a certificate was withdrawn.",
        ]
    ),
    Heading("3.2 Time needed", 3),
    Text(
        "One chamber load takes eleven TW-40 or six TW-90 heads. A complete run lasts about nine "
        "hours, most of it without supervision."
    ),
]

TW40_SHEET: list[Block] = [
    Heading("TW-40 compact weather station: data sheet", 1),
    Text("Document DS-40, revision F, September 2025."),
    Heading("Measured quantities"),
    Grid(
        [
            ["Quantity", "Range", "Accuracy"],
            ["Air temperature", "-30 to 55 °C", "0.3 K"],
            ["Relative humidity", "0 to 100 percent", "2 percent"],
            ["Air pressure", "600 to 1,080 hPa", "0.5 hPa"],
            ["Wind speed, cup wheel", "0.5 to 50 m/s", "0.4 m/s or 3 percent"],
            ["Wind direction, vane", "0 to 359 degrees", "4 degrees"],
            ["Rain, tipping bucket", "0.2 mm per tip", "4 percent up to 50 mm an hour"],
        ]
    ),
    Text(
        "All quantities are sampled every ten seconds. The internal memory holds 90 days of "
        "ten-minute values, which are sent later if the connection is lost."
    ),
    Text(
        "The TW-40 is meant for schools, farms and small authorities. It is not approved as the "
        "only source for flood warnings or for airfields."
    ),
    NewPage(),
    Heading("Power, radio and mechanics"),
    Grid(
        [
            ["Property", "Value"],
            ["Supply", "9 to 28 V direct current"],
            ["Mean power with one transmission in ten minutes", "0.35 W"],
            ["Battery pack", "lithium-ion, 6 Ah"],
            ["Running time on battery alone", "about 5 days"],
            ["Radio", "Wi-Fi 2.4 GHz or LTE-M, depending on the article"],
            ["Protection", "IP65"],
            ["Mass without bracket", "1.4 kg"],
            ["Mast diameter", "32 to 50 mm"],
        ]
    ),
    Heading("Mounting", 3),
    Text(
        "Mount the station between two and four metres above short grass. The vane has to point "
        "to the south mark when the red line faces north."
    ),
    Heading("Care", 3),
    Text(
        "Clean the rain funnel every three months and change the five plates of the radiation "
        "shield after eight years, or earlier if they have turned yellow. Solvents attack the "
        "plastic; water with a little soap is enough."
    ),
    Text(
        "The backup cell of the clock is soldered in and lasts about ten years. It is replaced "
        "during factory recalibration without extra charge."
    ),
]

TW90_SHEET: list[Block] = [
    Heading("TW-90 professional weather station: data sheet", 1),
    Text("Document DS-90, revision C, November 2025."),
    Heading("Measured quantities"),
    Grid(
        [
            ["Quantity", "Range", "Accuracy"],
            ["Air temperature", "-50 to 60 °C", "0.15 K"],
            ["Relative humidity", "0 to 100 percent", "2 percent"],
            ["Air pressure", "500 to 1,080 hPa", "0.3 hPa"],
            ["Wind speed, ultrasonic", "0 to 75 m/s", "0.2 m/s or 2 percent"],
            ["Wind direction, ultrasonic", "0 to 359 degrees", "2 degrees"],
            ["Precipitation, weighing gauge", "0.01 to 60 mm per minute", "0.1 mm"],
            ["Global radiation", "0 to 1,600 W per square metre", "5 percent"],
        ]
    ),
    Text(
        "Wind is sampled ten times a second, all other quantities once a second. Gusts are the "
        "highest mean of three seconds within ten minutes."
    ),
    NewPage(),
    Heading("Power and connections"),
    Grid(
        [
            ["Property", "Value"],
            ["Supply", "24 V direct current, 60 W with heater"],
            ["Heater of the wind sensor", "48 W, switches on below 4 °C"],
            ["Mean power without heater", "2.1 W"],
            ["Battery pack", "lithium iron phosphate, 12.8 V, 18 Ah"],
            ["Interfaces", "Ethernet, RS-485 with Modbus RTU, LTE-M"],
            ["Default Modbus address", "17, at 19,200 baud, even parity"],
            ["Memory", "400 days of one-minute values"],
        ]
    ),
    Text(
        "If the mains supply fails the heater is switched off and the station runs for 70 hours "
        "on battery. It reports the failure at once and again every six hours."
    ),
    Heading("Radio coverage", 3),
    Text(
        "Where no mobile network exists, a satellite modem can be connected to the second serial "
        "port. Messages are then limited to 340 bytes and are sent every 30 minutes."
    ),
    NewPage(),
    Heading("Mechanics and maintenance"),
    Grid(
        [
            ["Property", "Value"],
            ["Protection", "IP67"],
            ["Mass of the sensor head", "4.9 kg"],
            ["Largest wind load", "survives 90 m/s"],
            ["Mast tube", "60 mm, with earth clamp"],
        ]
    ),
    Bullets(
        [
            "Every 12 months: replace the filter of the radiation shield.",
            "Every 12 months: empty the weighing gauge and fill in 1.5 litres of frost liquid.",
            "Every 24 months: recalibrate the sensor head.",
            "When the window turns pink: change the desiccant cartridge.",
        ]
    ),
    Text(
        "Birds like to sit on the ultrasonic transducers. The spike ring, article SPK-90, solves "
        "this and does not influence the measurement of wind below 30 metres per second."
    ),
]

BRANDSCHUTZ: list[Block] = [
    Heading("Brandschutzordnung Lüderhafen", 1),
    Text("Stand: 1. Oktober 2025. Verantwortlich: Malte Reents, Brandschutzbeauftragter."),
    Heading("Teil A: Für alle Personen im Gebäude"),
    Bullets(
        [
            "Ruhe bewahren und Brand melden: intern 333, von außen 112.",
            "Gefährdete Personen warnen, Hilflose mitnehmen, Türen schließen.",
            "Aufzüge nicht benutzen und den grünen Schildern folgen.",
            "Am Sammelplatz warten, bis die Zählung beendet ist.",
        ],
        numbered=True,
    ),
    Text(
        "Der Sammelplatz ist die Wendeschleife der Buslinie 14. Bei Westwind ab Stärke 7 gilt "
        "stattdessen der Parkplatz der Schleusenmeisterei."
    ),
    Text("Rauchen ist nur im Pavillon am Nordtor gestattet."),
    NewPage(),
    Heading("Teil B: Für Beschäftigte"),
    Text(
        "Fluchtwege sind auf einer Breite von 1,20 Metern freizuhalten. Keile unter "
        "Brandschutztüren führen beim ersten Mal zu einer Ermahnung und beim zweiten Mal zu "
        "einem Gespräch mit der Standortleitung."
    ),
    Text(
        "Eine Räumungsübung findet zweimal im Jahr statt, im April und im Oktober. Bei der "
        "letzten Übung war das Gebäude nach 4 Minuten und 20 Sekunden leer; das Ziel sind vier "
        "Minuten."
    ),
    Heading("Feuerlöscher", 3),
    Grid(
        [
            ["Ort", "Löschmittel", "Anzahl"],
            ["Büros", "Schaum, 6 Liter", "9"],
            ["Technikraum 0.07", "Kohlendioxid, 5 Kilogramm", "2"],
            ["Fertigung", "Schaum, 9 Liter", "7"],
            ["Akkulager", "Wassernebel, 6 Liter", "3"],
        ]
    ),
    Text("Die Feuerlöscher werden alle zwei Jahre von einer Fachfirma geprüft."),
    NewPage(),
    Heading("Teil C: Für Beauftragte"),
    Text(
        "Für jede Etage gibt es zwei Räumungshelfer. Sie tragen gelbe Westen, prüfen Toiletten "
        "und Nebenräume und melden am Sammelplatz: Etage leer oder Etage nicht geprüft."
    ),
    Heading("Heißarbeiten", 3),
    Text(
        "Schweißen, Trennschleifen und Löten mit offener Flamme benötigen einen Erlaubnisschein. "
        "Er ist 24 Stunden vorher bei Malte Reents zu beantragen und gilt für eine Schicht. Nach "
        "dem Ende der Arbeit wird zwei Stunden lang Brandwache gehalten, danach einmal stündlich "
        "bis zur vierten Stunde kontrolliert."
    ),
    Heading("Brandmeldeanlage", 3),
    Text(
        "Vor staubigen Arbeiten wird die betroffene Meldergruppe abgeschaltet. Die Abschaltung "
        "trägt die Pforte in das Betriebsbuch ein. Ein Fehlalarm kostet uns 640 Euro."
    ),
]

PDF_FILES: dict[str, tuple[str, list[Block]]] = {
    "engineering/calibration-procedure.pdf": ("Calibration procedure CP-07", CALIBRATION),
    "product/tw40-datasheet.pdf": ("TW-40 data sheet", TW40_SHEET),
    "product/tw90-datasheet.pdf": ("TW-90 data sheet", TW90_SHEET),
    "safety/brandschutzordnung.pdf": ("Brandschutzordnung Lüderhafen", BRANDSCHUTZ),
}

# --------------------------------------------------------------------------------------
# Word
# --------------------------------------------------------------------------------------

BUDDY_GUIDE: list[Block] = [
    Heading("Buddy guide", 1),
    Text(
        "A buddy helps a new colleague through the first 90 days. The buddy is not the manager "
        "and does not judge. This guide is for people who have been asked to be one."
    ),
    Heading("Being chosen"),
    Text(
        "The manager asks you two weeks before the newcomer starts. You need at least one year "
        "with the company and should not report to the same manager if that can be avoided. You "
        "may say no without giving a reason. Nobody looks after more than two newcomers in a "
        "calendar year."
    ),
    Heading("What to do when"),
    Grid(
        [
            ["When", "Task", "Time"],
            ["Week before", "Write a short welcome message", "15 minutes"],
            ["Day 1", "Lunch, tour of kitchens and printers", "90 minutes"],
            ["Weeks 1 to 4", "Talk every second day", "15 minutes each"],
            ["Weeks 5 to 12", "Talk once a week", "30 minutes each"],
            ["Day 90", "Closing lunch and feedback form", "60 minutes"],
        ]
    ),
    Heading("Money"),
    Text(
        "You have a budget of £30 for each newcomer, or €35 in Lüderhafen, for lunches or coffee. "
        "Claim it in Ledgerline under the category team meal with the word buddy in the remark. "
        "It does not count towards the four team meals a year."
    ),
    Heading("Good topics"),
    Bullets(
        [
            "Which meetings matter and which can be skipped.",
            "How people here disagree: openly, in the meeting, and in short sentences.",
            "Abbreviations; the list in the wiki has 140 entries and you will need twelve.",
            "Where to eat on Fridays, when the canteen in Oldmere closes at 13:00.",
        ]
    ),
    Heading("When something goes wrong"),
    Text(
        "What you are told stays with you. There are two exceptions: danger to people, and "
        "reports of bullying. In both cases speak to Amara Tolland on the same day and tell the "
        "newcomer that you are doing so. If the two of you do not get on, the People team finds "
        "another buddy without asking why."
    ),
    Heading("Thank you"),
    Text(
        "After the closing lunch you receive half a day off in lieu. It has to be used within "
        "three months."
    ),
]

INSTALLATION_GUIDE: list[Block] = [
    Heading("TW-90 installation guide", 1),
    Text(
        "For trained installers. Document IG-90, revision D, June 2025. Read the rules for work "
        "at height before going to the site."
    ),
    Heading("Choosing the place"),
    Text(
        "The wind sensor stands ten metres above the ground. Keep a distance from obstacles of at "
        "least ten times their height. The precipitation gauge needs four times the height and "
        "should not stand on a slope of more than five degrees."
    ),
    Heading("Foundation"),
    Text(
        "Dig a hole of 0.6 by 0.6 metres and 0.8 metres deep. On clay go down to one metre. The "
        "concrete needs five days before the mast may be raised, or eight days if the nights are "
        "below 5 °C."
    ),
    Heading("Earthing"),
    Text(
        "Drive the rod next to the foundation and connect it with copper cable of 16 square "
        "millimetres. The resistance to earth has to be below 10 ohms. Write the measured value "
        "into the commissioning form; without it there is no warranty for surges."
    ),
    Heading("Raising the mast"),
    Text(
        "Two people are needed for the tilting mast of six metres and three for that of ten "
        "metres. Tighten all screws with a torque wrench:"
    ),
    Grid(
        [
            ["Screw", "Where", "Torque"],
            ["M8", "sensor head to mast adapter", "18 Nm"],
            ["M10", "guy clamps", "35 Nm"],
            ["M12", "hinge plate to foundation", "60 Nm"],
            ["M16", "only ten-metre mast, lower joint", "140 Nm"],
        ]
    ),
    Heading("Cable"),
    Text(
        "The sensor cable may be up to 80 metres long. Beyond 30 metres use the version with "
        "thicker wires, article CBL-90H, or the heater will not reach its full power."
    ),
    Heading("Commissioning"),
    Bullets(
        [
            "Turn the head until the white arrow shows true north; 2 degrees of error are allowed.",
            "Switch on and wait until the lamp blinks green, which takes about four minutes.",
            "Press the blue button to mark the maintenance mode.",
            "Enter the coordinates in the Skylog app and take four photographs, one to each side.",
            "Press the blue button again and compare the first values with a hand instrument.",
        ],
        numbered=True,
    ),
    Heading("Lamp codes", 3),
    Text(
        "Two red blinks mean that the mobile network is missing. Three red blinks mean a supply "
        "below 21 volts. A steady red light means that the head has to go back to the factory."
    ),
]

WORKING_AT_HEIGHT: list[Block] = [
    Heading("Work at height and on masts", 1),
    Text(
        "Issued by Gwen Arkwright, safety officer. Applies to all sites and to customers' sites "
        "on which our crews work. Version of 12 May 2025."
    ),
    Heading("Permit"),
    Text(
        "Any work with the feet more than 1.8 metres above the ground needs a permit. The crew "
        "leader fills it in on the spot; it is valid for one day and one place. Short inspection "
        "from a step ladder with a handrail is exempt."
    ),
    Heading("Limits for the weather"),
    Grid(
        [
            ["Condition", "Rule"],
            ["Wind above 12 m/s in gusts", "come down, no climbing"],
            ["Thunder heard or lightning seen", "wait for 30 minutes after the last sign"],
            ["Ice on the rungs", "no climbing, not even with spikes"],
            ["Air temperature below -10 °C", "at most 40 minutes at a time"],
            ["Darkness", "only for the repair of flood gauges, with two head lamps"],
        ]
    ),
    Heading("People"),
    Text(
        "At least two people are on site, one of whom stays on the ground. Both need the course "
        "in climbing and rescue, which is valid for three years. Anybody who has taken part in a "
        "night call-out stays on the ground on the following day."
    ),
    Heading("Equipment"),
    Bullets(
        [
            "Harnesses are inspected every six months and thrown away after eight years.",
            "A harness that has caught a fall is cut up and never used again.",
            "Helmets with chin strap, replaced every four years.",
            "Tools hang on lanyards; the zone below is closed off with a radius of five metres.",
        ]
    ),
    Heading("Rescue"),
    Text(
        "A person hanging in a harness has to be brought down within 15 minutes. The rescue kit "
        "lies opened and ready at the foot of the mast, not in the van. Before climbing the crew "
        "leader checks that there is a telephone signal; without one, a satellite messenger from "
        "stores is taken along."
    ),
    Heading("Roofs"),
    Text(
        "On flat roofs without a railing keep two metres away from the edge. Roof lights are "
        "never walked on, whatever they are made of."
    ),
]

UNFALLMELDUNG: list[Block] = [
    Heading("Unfälle melden und Erste Hilfe in Lüderhafen", 1),
    Text("Herausgegeben von Malte Reents, Fachkraft für Arbeitssicherheit, am 18. August 2025."),
    Heading("Sofort"),
    Bullets(
        [
            "Unfallstelle sichern und Maschine über den roten Taster abschalten.",
            "Intern 333 wählen. Die Pforte ruft den Rettungswagen und öffnet Tor 3.",
            "Erste Hilfe leisten, bis ein Ersthelfer übernimmt.",
        ],
        numbered=True,
    ),
    Heading("Ersthelfer"),
    Grid(
        [
            ["Bereich", "Name", "Durchwahl"],
            ["Fertigung, Frühschicht", "Wiebke Onnen", "231"],
            ["Fertigung, Spätschicht", "Carsten Ubben", "232"],
            ["Entwicklung", "Selma Tjarks", "254"],
            ["Verwaltung", "Jonte Brackwede", "218"],
        ]
    ),
    Heading("Melden"),
    Text(
        "Jede Verletzung wird noch am selben Tag in das Verbandbuch an der Pforte eingetragen, "
        "auch ein kleiner Schnitt. Die Einträge werden fünf Jahre aufbewahrt."
    ),
    Text(
        "Fällt jemand länger als drei Tage aus, schickt die Personalabteilung innerhalb von drei "
        "Tagen eine Anzeige an die Berufsgenossenschaft. Dafür braucht sie den ausgefüllten Bogen "
        "der Führungskraft spätestens am Morgen nach dem Unfall."
    ),
    Text(
        "Wegeunfälle auf dem direkten Weg zur Arbeit werden genauso gemeldet. Ein Umweg zum "
        "Kindergarten ist mitversichert, ein Umweg zum Einkaufen nicht."
    ),
    Heading("Untersuchung"),
    Text(
        "Nach einem Unfall mit Ausfallzeit setzen sich Führungskraft, Malte Reents und der "
        "Betriebsrat innerhalb einer Woche zusammen. Gesucht wird die Ursache, nicht die Schuld. "
        "Das Ergebnis hängt vier Wochen lang am Brett vor der Kantine."
    ),
    Heading("Beinaheunfälle"),
    Text(
        "Auch was gerade noch gut ging, soll gemeldet werden. Die orangefarbenen Karten liegen an "
        "jeder Werkbank. Für die beste Verbesserung des Quartals gibt es 75 Euro."
    ),
    Heading("Durchgangsarzt"),
    Text(
        "Zuständig ist die Praxis am Deichtor, acht Gehminuten vom Werk. Eine Taxifahrt dorthin "
        "zahlt die Firma; selbst fahren darf die verletzte Person nicht."
    ),
]

DOCX_FILES: dict[str, tuple[str, list[Block]]] = {
    "people/buddy-guide.docx": ("Buddy guide", BUDDY_GUIDE),
    "product/installation-guide.docx": ("TW-90 installation guide", INSTALLATION_GUIDE),
    "safety/working-at-height.docx": ("Work at height and on masts", WORKING_AT_HEIGHT),
    "safety/unfallmeldung.docx": ("Unfälle melden und Erste Hilfe", UNFALLMELDUNG),
}

# --------------------------------------------------------------------------------------
# PowerPoint
# --------------------------------------------------------------------------------------

COMPANY_INTRODUCTION = [
    Slide(
        "Tarnwick Instruments: an introduction",
        [
            "For newcomers, state of January 2026",
            "Weather stations, river gauges and the data service behind them",
        ],
        notes="This deck is shown at the newcomers' breakfast and takes about 25 minutes.",
    ),
    Slide(
        "How it began",
        [
            "Founded in 2004 by Ines Harrowgate and Piet Calder in a former watermill",
            "First product: a rain gauge for golf courses, 312 pieces sold",
            "2011: first station of the TW series",
            "2016: purchase of a gauge maker in Lüderhafen with 23 employees",
            "2019: start of the Skylog data service",
        ],
        notes="Piet Calder retired in 2021 and still visits the open day each June.",
    ),
    Slide(
        "The company in numbers",
        table=[
            ["Figure", "2024", "2025"],
            ["Employees at the end of the year", "201", "214"],
            ["Revenue in million pounds", "28.9", "31.6"],
            ["Stations delivered", "4,150", "4,720"],
            ["Stations connected to Skylog", "16,300", "18,600"],
            ["Countries with customers", "35", "38"],
        ],
        notes="Revenue includes Skylog subscriptions, which make up 22 percent in 2025.",
    ),
    Slide(
        "Who buys from us",
        [
            "Water boards and flood centres: 41 percent of revenue",
            "Wind and solar farms: 24 percent",
            "Farms and vineyards: 19 percent",
            "Schools, ports and others: 16 percent",
            "No customer accounts for more than 6 percent",
        ],
    ),
    Slide(
        "What we hold to",
        [
            "A gap in the data is better than a wrong value",
            "Repair before replace: spare parts for eight years",
            "The person at the machine may stop the line",
            "We do not sell readings of customers to third parties",
        ],
        notes="Ask the audience for an example from their own first week.",
    ),
    Slide(
        "Who is who",
        table=[
            ["Role", "Name"],
            ["Managing director", "Ines Harrowgate"],
            ["Finance director", "Dorothea Quill"],
            ["Head of Engineering", "Sunniva Kell"],
            ["Head of People", "Amara Tolland"],
            ["Head of IT", "Rufus Penhallow"],
            ["Head of Support", "Nils Hagedorn"],
            ["Product manager", "Leopold Anstey"],
            ["Site manager Lüderhafen", "Frauke Dallmann"],
        ],
    ),
]

ARCHITECTURE = [
    Slide(
        "Skylog architecture overview",
        ["Sunniva Kell, Engineering forum, 20 November 2025", "Scope: from antenna to customer"],
    ),
    Slide(
        "Path of a reading",
        [
            "Stations send packets of ten minutes over LTE-M, Wi-Fi or satellite",
            "The gateway checks the signature and writes to the queue",
            "The queue keeps messages for 72 hours if everything behind it is down",
            "Workers decode, convert units and set the quality flag",
            "Readings are stored twice, in two data centres 210 kilometres apart",
        ],
        notes="Decoding is without state, so workers can be restarted at any moment.",
    ),
    Slide(
        "Load and head room",
        table=[
            ["Measure", "Today", "Tested up to"],
            ["Messages per second, mean", "310", "2,400"],
            ["Messages per second, after an outage", "1,100", "2,400"],
            ["Time from arrival to flag, 99th percentile", "41 seconds", "90 seconds"],
            ["Answer time of the interface, 99th percentile", "380 milliseconds", "1 second"],
        ],
        notes="The load test of October used a replay of the January storm.",
    ),
    Slide(
        "If a data centre fails",
        [
            "At most five minutes of readings may be lost",
            "Service has to be back within two hours",
            "Switching is started by a person, never by a machine",
            "Rehearsed every six months, last on 4 September 2025 in 68 minutes",
        ],
    ),
    Slide(
        "Decisions and debts",
        [
            "Kept: one relational database with partitions by month",
            "Rejected: a separate stream processor, since the team would need two more people",
            "Debt: the certificate service still runs on a single machine",
            "Debt: version 2 of the interface shares tables with version 3",
        ],
        notes="Both debts are to be paid by the end of 2026.",
    ),
]

ROADMAP = [
    Slide(
        "Product roadmap 2026 to 2027",
        ["Leopold Anstey, product manager", "For the leadership team, 12 January 2026"],
    ),
    Slide(
        "Launches",
        table=[
            ["Product", "Planned launch", "Target price"],
            ["HydroPost 4", "September 2026", "£3,480"],
            ["TW-45, code name Wren", "February 2027", "£1,150"],
            ["Skylog alerts by voice", "May 2026", "£12 a month"],
        ],
        notes="The price of Wren assumes 3,000 pieces in the first year.",
    ),
    Slide(
        "Wren in short",
        [
            "Replaces the TW-40, whose sale ends twelve months after the launch of Wren",
            "Ultrasonic wind sensor without moving parts",
            "Cost of materials may not exceed £385",
            "Largest risk: a single source for the transducers, with 26 weeks of delivery time",
        ],
    ),
    Slide(
        "Money",
        [
            "Research and development budget 2026: £3.4 million",
            "Share of HydroPost 4: 38 percent",
            "Tooling for Wren: £410,000, to be released by the board in April",
            "If first quarter orders fall below £6.9 million, voice alerts move to 2027",
        ],
        notes="Do not share the tooling figure with suppliers.",
    ),
    Slide(
        "Not planned",
        [
            "No handheld instruments",
            "No own satellite service",
            "No return to the TW-30 after the end of spare parts",
        ],
    ),
]

PPTX_FILES: dict[str, tuple[str, list[Slide]]] = {
    "people/company-introduction.pptx": ("Company introduction", COMPANY_INTRODUCTION),
    "engineering/architecture-overview.pptx": ("Skylog architecture overview", ARCHITECTURE),
    "product/roadmap-2026.pptx": ("Product roadmap 2026 to 2027", ROADMAP),
}

# --------------------------------------------------------------------------------------
# Excel
# --------------------------------------------------------------------------------------

SALARY_BANDS = [
    Sheet(
        "United Kingdom",
        [
            ["Band", "Typical role", "Minimum GBP", "Middle GBP", "Maximum GBP", "Bonus percent"],
            ["T1", "Assembly technician", 25800, 28400, 31000, 2],
            ["T2", "Senior technician", 30200, 33600, 37000, 3],
            ["T3", "Engineer or specialist", 37500, 43000, 48500, 4],
            ["T4", "Senior engineer", 47000, 54500, 62000, 6],
            ["T5", "Team leader or principal engineer", 58000, 67000, 76000, 8],
            ["T6", "Head of department", 74000, 87000, 100000, 12],
            ["T7", "Director", 98000, 116000, 134000, 18],
        ],
        [8, 36, 14, 14, 14, 14],
    ),
    Sheet(
        "Germany",
        [
            ["Band", "Typical role", "Minimum EUR", "Middle EUR", "Maximum EUR", "Bonus percent"],
            ["T1", "Montagefachkraft", 33600, 36500, 39400, 2],
            ["T2", "Technikerin oder Techniker", 39000, 43200, 47400, 3],
            ["T3", "Ingenieurin oder Ingenieur", 50500, 56800, 63100, 4],
            ["T4", "Senior Ingenieurwesen", 61000, 69500, 78000, 6],
            ["T5", "Teamleitung", 73000, 83000, 93000, 8],
            ["T6", "Standortleitung", 90000, 103000, 116000, 12],
        ],
        [8, 36, 14, 14, 14, 14],
    ),
    Sheet(
        "Rules",
        [
            ["Topic", "Rule"],
            ["Offer to a new colleague", "Between minimum and middle; above needs the board"],
            ["Promotion", "At least 6 percent or the new minimum, whichever is higher"],
            ["Yearly pool", "3.4 percent of salaries in April 2026"],
            ["Below minimum", "Raised in two steps within 12 months"],
            ["Regional supplement", "None since January 2024"],
        ],
        [28, 62],
    ),
]

PURCHASING_LIMITS = [
    Sheet(
        "Limits",
        [
            ["Role", "Single order GBP", "Single order EUR", "Second signature"],
            ["Employee with catalogue access", 350, 400, "not needed"],
            ["Team leader", 2000, 2300, "not needed"],
            ["Buyer in purchasing", 7500, 8700, "not needed"],
            ["Head of department", 15000, 17500, "purchasing"],
            ["Site manager Lüderhafen", 20000, 23000, "purchasing"],
            ["Finance director", 100000, 116000, "managing director above 60,000"],
            ["Managing director", 250000, 290000, "board above this sum"],
        ],
        [34, 18, 18, 34],
    ),
    Sheet(
        "Quotes needed",
        [
            ["Order value GBP", "Written quotes", "Remark"],
            ["up to 1,000", 1, "catalogue price is enough"],
            ["1,001 to 10,000", 2, "keep the losing quote for three years"],
            ["10,001 to 50,000", 3, "one of them from a new supplier if possible"],
            ["above 50,000", 3, "with a site visit and a credit check"],
        ],
        [22, 18, 50],
    ),
    Sheet(
        "Special categories",
        [
            ["Category", "Who must agree", "Usual waiting time in working days"],
            ["Software and online services", "IT", 8],
            ["Chemicals and gases", "Safety officer", 5],
            ["Batteries", "Safety officer", 3],
            ["Measuring equipment for the laboratory", "Head of the calibration laboratory", 6],
            ["Consultants and contractors", "People team", 10],
            ["Second-hand machines", "Finance director", 12],
        ],
        [42, 38, 36],
    ),
]

SENSOR_TESTS = [
    Sheet(
        "Tests",
        [
            ["Test", "Product", "Duration hours", "Severity", "Sample size", "Reject above"],
            ["ST-01 salt mist", "TW-90", 336, "5 percent salt, 35 °C", 4, 0],
            ["ST-02 dry heat", "TW-40", 72, "70 °C", 6, 0],
            ["ST-03 dry heat", "TW-90", 96, "75 °C", 6, 0],
            ["ST-04 cold start", "TW-40", 16, "-35 °C", 6, 1],
            ["ST-05 cold start", "TW-90", 16, "-55 °C", 6, 0],
            ["ST-06 vibration", "TW-90", 9, "3 axes, 10 to 500 Hz", 3, 0],
            ["ST-07 hail impact", "TW-40", 1, "ice balls of 25 mm at 23 m/s", 5, 1],
            ["ST-08 hail impact", "TW-90", 1, "ice balls of 40 mm at 27 m/s", 5, 0],
            ["ST-09 immersion", "HydroPost 3", 240, "20 metres of water", 4, 0],
            ["ST-10 surge", "TW-90", 2, "4 kV on supply line", 3, 0],
            ["ST-11 drop in box", "TW-40", 1, "1.2 metres, 10 drops", 4, 1],
        ],
        [22, 14, 16, 32, 14, 14],
    ),
    Sheet(
        "Results 2025",
        [
            ["Product", "Quarter", "Heads tested", "Passed at once", "Pass rate percent"],
            ["TW-40", "Q1", 812, 779, 95.9],
            ["TW-40", "Q2", 934, 903, 96.7],
            ["TW-40", "Q3", 760, 741, 97.5],
            ["TW-40", "Q4", 1015, 982, 96.7],
            ["TW-90", "Q1", 148, 139, 93.9],
            ["TW-90", "Q2", 171, 163, 95.3],
            ["TW-90", "Q3", 139, 126, 90.6],
            ["TW-90", "Q4", 186, 180, 96.8],
        ],
        [14, 10, 16, 18, 20],
    ),
    Sheet(
        "Findings",
        [
            ["Finding", "Cause", "Measure"],
            [
                "TW-90 pass rate in Q3 2025",
                "Batch of humidity sensors with wrong coating",
                "Supplier took back 210 pieces",
            ],
            [
                "TW-40 vane sticks below -25 °C",
                "Grease too stiff",
                "New grease from serial number 40-51200",
            ],
            [
                "HydroPost 3 cable gland leaks",
                "Torque too low in assembly",
                "Wrench with release at 7 Nm",
            ],
        ],
        [36, 46, 46],
    ),
]

XLSX_FILES: dict[str, tuple[str, list[Sheet]]] = {
    "finance/salary-bands.xlsx": ("Salary bands 2026", SALARY_BANDS),
    "finance/purchasing-limits.xlsx": ("Purchasing limits", PURCHASING_LIMITS),
    "engineering/sensor-test-matrix.xlsx": ("Sensor test matrix", SENSOR_TESTS),
}

DAMAGED_FILE = "it/archive/scan-2019-damaged.pdf"
DAMAGED_BYTES = 700


# --------------------------------------------------------------------------------------
# Writers
# --------------------------------------------------------------------------------------


def pdf_table(rows: Sequence[Sequence[str]], style: ParagraphStyle) -> Table:
    """Lay out a table with a shaded header row."""
    cells = [[Paragraph(escape(value), style) for value in row] for row in rows]
    table = Table(cells, hAlign="LEFT", repeatRows=1)
    table.setStyle(
        TableStyle(
            [
                ("GRID", (0, 0), (-1, -1), 0.5, colors.grey),
                ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#dfe8ee")),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ]
        )
    )
    return table


def pdf_bytes(title: str, blocks: Sequence[Block]) -> bytes:
    """Render blocks as a PDF with a text layer and a page number on each page."""
    styles = getSampleStyleSheet()
    body = ParagraphStyle("Body", parent=styles["BodyText"], leading=14, spaceAfter=9)
    cell = ParagraphStyle("Cell", parent=styles["BodyText"], spaceBefore=0)
    headings = {1: styles["Title"], 2: styles["Heading2"], 3: styles["Heading3"]}
    story: list[Flowable] = []
    for block in blocks:
        match block:
            case Heading(text, level):
                story.append(Paragraph(escape(text), headings[level]))
            case Text(text):
                story.append(Paragraph(escape(text), body))
            case Bullets(items, numbered):
                entries = [ListItem(Paragraph(escape(item), body)) for item in items]
                kind = "1" if numbered else "bullet"
                story.append(ListFlowable(entries, bulletType=kind))
            case Grid(rows):
                story.extend([Spacer(1, 2 * mm), pdf_table(rows, cell), Spacer(1, 3 * mm)])
            case NewPage():
                story.append(PageBreak())

    def footer(canvas: Any, doc: Any) -> None:
        canvas.saveState()
        canvas.setFont("Helvetica", 8)
        canvas.drawString(20 * mm, 10 * mm, f"{COMPANY} | {title} | {doc.page}")
        canvas.restoreState()

    buffer = io.BytesIO()
    document = BaseDocTemplate(
        buffer,
        pagesize=A4,
        title=title,
        author=COMPANY,
        creator=COMPANY,
        producer=COMPANY,
        invariant=1,
    )
    frame = Frame(20 * mm, 25 * mm, A4[0] - 40 * mm, A4[1] - 45 * mm, id="body")
    document.addPageTemplates([PageTemplate(id="page", frames=[frame], onPageEnd=footer)])
    document.build(story)
    return buffer.getvalue()


def set_core_properties(properties: Any, title: str) -> None:
    """Fill the metadata shared by Word, PowerPoint and Excel with fixed values."""
    values = {
        "title": title,
        "author": COMPANY,
        "creator": COMPANY,
        "last_modified_by": COMPANY,
        "lastModifiedBy": COMPANY,
        "comments": "",
        "created": FIXED_DATE.replace(tzinfo=None),
        "modified": FIXED_DATE.replace(tzinfo=None),
    }
    for name, value in values.items():
        if hasattr(properties, name):
            setattr(properties, name, value)


def repack(data: bytes) -> bytes:
    """Write an Office archive again with fixed times and a fixed modification date."""
    result = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as source,
        zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/thumbnail.jpeg":
                continue
            if name == "_rels/.rels":
                content = re.sub(rb"<Relationship [^>]*thumbnail[^>]*/>", b"", content)
            if name == "docProps/core.xml":
                stamp = rb"\g<1>" + FIXED_STAMP.encode() + rb"\g<2>"
                content = re.sub(
                    rb"(<dcterms:modified[^>]*>)[^<]*(</dcterms:modified>)", stamp, content
                )
            entry = zipfile.ZipInfo(name, ZIP_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            target.writestr(entry, content)
    return result.getvalue()


def docx_bytes(title: str, blocks: Sequence[Block]) -> bytes:
    """Render blocks as a Word document with real heading styles and tables."""
    document = Document()
    set_core_properties(document.core_properties, title)
    for block in blocks:
        match block:
            case Heading(text, level):
                document.add_heading(text, level)
            case Text(text):
                document.add_paragraph(text)
            case Bullets(items, numbered):
                style = "List Number" if numbered else "List Bullet"
                for item in items:
                    document.add_paragraph(item, style=style)
            case Grid(rows):
                table = document.add_table(rows=0, cols=len(rows[0]), style="Table Grid")
                for row in rows:
                    for cell, value in zip(table.add_row().cells, row, strict=True):
                        cell.text = value
            case NewPage():
                document.add_page_break()
    buffer = io.BytesIO()
    document.save(buffer)
    return repack(buffer.getvalue())


def pptx_bytes(title: str, slides: Sequence[Slide]) -> bytes:
    """Render slides with titles, bullets, tables and speaker notes."""
    presentation = Presentation()
    set_core_properties(presentation.core_properties, title)
    title_and_content, title_only = presentation.slide_layouts[1], presentation.slide_layouts[5]
    for slide in slides:
        page = presentation.slides.add_slide(title_only if slide.table else title_and_content)
        page.shapes.title.text = slide.title
        if slide.table:
            rows, columns = len(slide.table), len(slide.table[0])
            frame = page.shapes.add_table(
                rows, columns, Inches(0.6), Inches(1.6), Inches(8.8), Inches(0.4 * rows)
            )
            for row_index, row in enumerate(slide.table):
                for column_index, value in enumerate(row):
                    cell = frame.table.cell(row_index, column_index)
                    cell.text = value
                    cell.text_frame.paragraphs[0].font.size = Pt(16)
        else:
            text = page.placeholders[1].text_frame
            text.text = slide.bullets[0]
            for bullet in slide.bullets[1:]:
                text.add_paragraph().text = bullet
        if slide.notes:
            page.notes_slide.notes_text_frame.text = slide.notes
    buffer = io.BytesIO()
    presentation.save(buffer)
    return repack(buffer.getvalue())


def xlsx_bytes(title: str, sheets: Sequence[Sheet]) -> bytes:
    """Render worksheets with a bold header row that stays visible."""
    workbook = Workbook()
    workbook.remove(workbook.active)
    set_core_properties(workbook.properties, title)
    for sheet in sheets:
        worksheet = workbook.create_sheet(sheet.name)
        for row in sheet.rows:
            worksheet.append(list(row))
        for cell in worksheet[1]:
            cell.font = Font(bold=True)
            cell.fill = PatternFill("solid", start_color="DFE8EE")
        for index, width in enumerate(sheet.widths, start=1):
            worksheet.column_dimensions[get_column_letter(index)].width = width
        worksheet.freeze_panes = "A2"
    buffer = io.BytesIO()
    workbook.save(buffer)
    return repack(buffer.getvalue())


def damaged_bytes() -> bytes:
    """Return the first bytes of a PDF, cut off before its objects are complete."""
    whole = pdf_bytes("Scan 2019", [Heading("Scan 2019", 1), Text("Old wiring plan of bay 2.")])
    return whole[:DAMAGED_BYTES]


def write(relative: str, data: bytes) -> None:
    """Write one file below the handbook folder."""
    path = HANDBOOK / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    print(f"{len(data):>8}  {relative}")


def main() -> None:
    """Write all generated files."""
    for relative, (title, blocks) in PDF_FILES.items():
        write(relative, pdf_bytes(title, blocks))
    for relative, (title, blocks) in DOCX_FILES.items():
        write(relative, docx_bytes(title, blocks))
    for relative, (title, slides) in PPTX_FILES.items():
        write(relative, pptx_bytes(title, slides))
    for relative, (title, sheets) in XLSX_FILES.items():
        write(relative, xlsx_bytes(title, sheets))
    write(DAMAGED_FILE, damaged_bytes())


if __name__ == "__main__":
    main()
