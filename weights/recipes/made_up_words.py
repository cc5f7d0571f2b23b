# SPDX-License-Identifier: Apache-2.0
"""The words of made_up_text.py: names, cities, jobs, and the things and verbs of a support desk, in English and German."""

WOMEN = (
    "Anna Maria Julia Laura Lena Lisa Sarah Sophie Emma Hannah Mia Lea Clara Eva Nina Paula Katharina Christina "
    "Sandra Claudia Monika Petra Susanne Emily Olivia Alice Linda Jennifer Amanda Nora Elena Sofia Fatima Aisha Priya "
    "Yuki Mei Ingrid Helena Johanna Martina Andrea Carla Kate Rachel Jane Mary Ellen Diana Victoria"
).split()
MEN = (
    "Tom Peter Paul Max Felix Leon Lukas Jonas David Daniel Michael Stefan Martin Christian Jan Tim Ben Noah Elias "
    "Oliver John James Robert William Richard Mark George Kevin Brian Simon Adam Jack Harry Ali Ahmed Omar Hassan "
    "Ivan Pavel Marco Antonio Carlo Luis Pedro Kenji Wei Raj Viktor Karl Otto Walter Frank Bob Bill Sam Dan Alexander "
    "Sebastian"
).split()
SURNAMES = (
    "Smith Miller Brown Taylor Wilson Johnson Clark Baker Walker Müller Schmidt Schneider Fischer Weber Meyer Wagner "
    "Becker Hoffmann Schäfer Koch Bauer Richter Klein Wolf Neumann Garcia Rossi Kim Chen Nguyen Singh Yilmaz Novak "
    "Larsen"
).split()
SAME_CITIES = (
    "Berlin Hamburg Frankfurt Stuttgart Dresden Leipzig Bremen Dortmund Bonn Mannheim Salzburg Graz Basel Bern London "
    "Paris Madrid Barcelona Amsterdam Rotterdam Oslo Stockholm Helsinki Dublin Edinburgh Manchester Liverpool Oxford "
    "Budapest Istanbul Boston Chicago Seattle Denver Toronto Vancouver Montreal Sydney Melbourne Dubai Mumbai Delhi "
    "Seoul Osaka Kyoto Bangkok Jakarta Lima Nairobi Lagos Houston Dallas Miami Philadelphia Washington Potsdam "
    "Augsburg Freiburg Kiel"
).split()
CITIES = [
    ("New York", "New York"), ("Los Angeles", "Los Angeles"), ("San Francisco", "San Francisco"),
    ("Munich", "München"), ("Cologne", "Köln"), ("Vienna", "Wien"), ("Zurich", "Zürich"), ("Geneva", "Genf"),
    ("Nuremberg", "Nürnberg"), ("Hanover", "Hannover"), ("Rome", "Rom"), ("Milan", "Mailand"), ("Venice", "Venedig"),
    ("Naples", "Neapel"), ("Florence", "Florenz"), ("Prague", "Prag"), ("Warsaw", "Warschau"), ("Krakow", "Krakau"),
    ("Brussels", "Brüssel"), ("Antwerp", "Antwerpen"), ("Lisbon", "Lissabon"), ("Athens", "Athen"),
    ("Moscow", "Moskau"), ("Copenhagen", "Kopenhagen"), ("Tokyo", "Tokio"), ("Beijing", "Peking"), ("Cairo", "Kairo"),
    ("Singapore", "Singapur"), ("Dusseldorf", "Düsseldorf"), ("Gothenburg", "Göteborg"), ("Lucerne", "Luzern"),
    ("Brunswick", "Braunschweig"),
] + [(city, city) for city in SAME_CITIES]  # fmt: skip
# english, german
COUNTRIES = [
    ("Germany", "Deutschland"), ("Austria", "Österreich"), ("France", "Frankreich"), ("Italy", "Italien"),
    ("Spain", "Spanien"), ("Portugal", "Portugal"), ("England", "England"), ("Scotland", "Schottland"),
    ("Ireland", "Irland"), ("Poland", "Polen"), ("Greece", "Griechenland"), ("Sweden", "Schweden"),
    ("Norway", "Norwegen"), ("Denmark", "Dänemark"), ("Finland", "Finnland"), ("Belgium", "Belgien"),
    ("Hungary", "Ungarn"), ("Croatia", "Kroatien"), ("Russia", "Russland"), ("Japan", "Japan"), ("China", "China"),
    ("India", "Indien"), ("Canada", "Kanada"), ("Australia", "Australien"), ("Brazil", "Brasilien"),
    ("Mexico", "Mexiko"), ("Egypt", "Ägypten"), ("South Africa", "Südafrika"), ("Kenya", "Kenia"),
    ("Vietnam", "Vietnam"), ("Thailand", "Thailand"), ("South Korea", "Südkorea"), ("Israel", "Israel"),
    ("Morocco", "Marokko"), ("New Zealand", "Neuseeland"), ("Romania", "Rumänien"), ("Bulgaria", "Bulgarien"),
    ("Argentina", "Argentinien"), ("Chile", "Chile"), ("Europe", "Europa"), ("Africa", "Afrika"), ("Asia", "Asien"),
]  # fmt: skip
# english, german after "in" and "aus", german of "to"
COUNTRIES_WITH_ARTICLE = [
    ("Switzerland", "der Schweiz", "in die Schweiz"), ("Turkey", "der Türkei", "in die Türkei"),
    ("Ukraine", "der Ukraine", "in die Ukraine"), ("the Netherlands", "den Niederlanden", "in die Niederlande"),
    ("the United States", "den Vereinigten Staaten", "in die Vereinigten Staaten"),
    ("the USA", "den USA", "in die USA"),
    ("the Czech Republic", "der Tschechischen Republik", "in die Tschechische Republik"),
]  # fmt: skip
LANGUAGES = [
    ("English", "Englisch"), ("German", "Deutsch"), ("French", "Französisch"), ("Italian", "Italienisch"),
    ("Spanish", "Spanisch"), ("Portuguese", "Portugiesisch"), ("Russian", "Russisch"), ("Polish", "Polnisch"),
    ("Dutch", "Niederländisch"), ("Swedish", "Schwedisch"), ("Turkish", "Türkisch"), ("Arabic", "Arabisch"),
    ("Japanese", "Japanisch"), ("Chinese", "Chinesisch"), ("Korean", "Koreanisch"), ("Greek", "Griechisch"),
    ("Ukrainian", "Ukrainisch"), ("Danish", "Dänisch"), ("Norwegian", "Norwegisch"), ("Finnish", "Finnisch"),
    ("Czech", "Tschechisch"), ("Hungarian", "Ungarisch"), ("Hebrew", "Hebräisch"), ("Hindi", "Hindi"),
]  # fmt: skip
# english, german of a man and of a woman
NATIONALITIES = [
    ("German", "Deutscher", "Deutsche"), ("Austrian", "Österreicher", "Österreicherin"),
    ("Swiss", "Schweizer", "Schweizerin"), ("French", "Franzose", "Französin"),
    ("Italian", "Italiener", "Italienerin"), ("Spanish", "Spanier", "Spanierin"),
    ("English", "Engländer", "Engländerin"), ("Irish", "Ire", "Irin"), ("Polish", "Pole", "Polin"),
    ("Dutch", "Niederländer", "Niederländerin"), ("American", "Amerikaner", "Amerikanerin"),
    ("Canadian", "Kanadier", "Kanadierin"), ("Australian", "Australier", "Australierin"),
    ("Russian", "Russe", "Russin"), ("Turkish", "Türke", "Türkin"), ("Greek", "Grieche", "Griechin"),
    ("Japanese", "Japaner", "Japanerin"), ("Chinese", "Chinese", "Chinesin"), ("Indian", "Inder", "Inderin"),
    ("Brazilian", "Brasilianer", "Brasilianerin"), ("Danish", "Däne", "Dänin"), ("Swedish", "Schwede", "Schwedin"),
]  # fmt: skip
# english, german of a man and of a woman
JOBS = [
    ("a teacher", "Lehrer", "Lehrerin"), ("a doctor", "Arzt", "Ärztin"),
    ("a nurse", "Krankenpfleger", "Krankenschwester"), ("an engineer", "Ingenieur", "Ingenieurin"),
    ("a programmer", "Programmierer", "Programmiererin"),
    ("a software developer", "Softwareentwickler", "Softwareentwicklerin"), ("a student", "Student", "Studentin"),
    ("a lawyer", "Anwalt", "Anwältin"), ("a cook", "Koch", "Köchin"), ("a baker", "Bäcker", "Bäckerin"),
    ("a waiter", "Kellner", "Kellnerin"), ("a driver", "Fahrer", "Fahrerin"),
    ("a police officer", "Polizist", "Polizistin"), ("a journalist", "Journalist", "Journalistin"),
    ("a writer", "Schriftsteller", "Schriftstellerin"), ("an architect", "Architekt", "Architektin"),
    ("a farmer", "Landwirt", "Landwirtin"), ("a dentist", "Zahnarzt", "Zahnärztin"),
    ("a musician", "Musiker", "Musikerin"), ("an artist", "Künstler", "Künstlerin"),
    ("a scientist", "Wissenschaftler", "Wissenschaftlerin"), ("an accountant", "Buchhalter", "Buchhalterin"),
    ("a translator", "Übersetzer", "Übersetzerin"), ("an electrician", "Elektriker", "Elektrikerin"),
    ("a salesperson", "Verkäufer", "Verkäuferin"), ("a manager", "Manager", "Managerin"),
    ("a photographer", "Fotograf", "Fotografin"), ("a pilot", "Pilot", "Pilotin"),
    ("a designer", "Designer", "Designerin"), ("a hairdresser", "Friseur", "Friseurin"),
]  # fmt: skip
WEEKDAYS = [
    ("Monday", "Montag"), ("Tuesday", "Dienstag"), ("Wednesday", "Mittwoch"), ("Thursday", "Donnerstag"),
    ("Friday", "Freitag"), ("Saturday", "Samstag"), ("Sunday", "Sonntag"),
]  # fmt: skip
MONTHS = [
    ("January", "Januar"), ("February", "Februar"), ("March", "März"), ("April", "April"), ("May", "Mai"),
    ("June", "Juni"), ("July", "Juli"), ("August", "August"), ("September", "September"), ("October", "Oktober"),
    ("November", "November"), ("December", "Dezember"),
]  # fmt: skip
DAYTIMES = [
    ("in the morning", "am Morgen"), ("in the afternoon", "am Nachmittag"), ("in the evening", "am Abend"),
    ("at noon", "am Mittag"), ("tomorrow", "morgen"), ("tomorrow morning", "morgen früh"), ("today", "heute"),
    ("this evening", "heute Abend"), ("tonight", "heute Abend"), ("this afternoon", "heute Nachmittag"),
    ("next week", "nächste Woche"), ("next month", "nächsten Monat"), ("the day after tomorrow", "übermorgen"),
]  # fmt: skip
ENGLISH_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
GERMAN_SMALL = (
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn "
    "achtzehn neunzehn"
).split()
ENGLISH_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
GERMAN_TENS = "_ _ zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split()
ORDINALS = [
    ("first", "erste"), ("second", "zweite"), ("third", "dritte"), ("fourth", "vierte"), ("fifth", "fünfte"),
    ("sixth", "sechste"), ("seventh", "siebte"), ("eighth", "achte"), ("ninth", "neunte"), ("tenth", "zehnte"),
]  # fmt: skip
# places of a town: english, german, german of "to the"
PLACES = [
    ("station", "der Bahnhof", "zum Bahnhof"), ("train station", "der Bahnhof", "zum Bahnhof"),
    ("airport", "der Flughafen", "zum Flughafen"), ("hotel", "das Hotel", "zum Hotel"),
    ("museum", "das Museum", "zum Museum"), ("hospital", "das Krankenhaus", "zum Krankenhaus"),
    ("pharmacy", "die Apotheke", "zur Apotheke"), ("bank", "die Bank", "zur Bank"),
    ("post office", "die Post", "zur Post"), ("supermarket", "der Supermarkt", "zum Supermarkt"),
    ("library", "die Bibliothek", "zur Bibliothek"), ("school", "die Schule", "zur Schule"),
    ("university", "die Universität", "zur Universität"), ("church", "die Kirche", "zur Kirche"),
    ("town hall", "das Rathaus", "zum Rathaus"), ("police station", "die Polizeiwache", "zur Polizeiwache"),
    ("bus stop", "die Bushaltestelle", "zur Bushaltestelle"), ("market", "der Markt", "zum Markt"),
    ("park", "der Park", "zum Park"), ("restaurant", "das Restaurant", "zum Restaurant"),
    ("cinema", "das Kino", "zum Kino"), ("theater", "das Theater", "zum Theater"),
    ("bakery", "die Bäckerei", "zur Bäckerei"), ("beach", "der Strand", "zum Strand"), ("zoo", "der Zoo", "zum Zoo"),
    ("swimming pool", "das Schwimmbad", "zum Schwimmbad"), ("gas station", "die Tankstelle", "zur Tankstelle"),
    ("castle", "das Schloss", "zum Schloss"), ("bridge", "die Brücke", "zur Brücke"),
    ("toilet", "die Toilette", "zur Toilette"), ("exit", "der Ausgang", "zum Ausgang"),
    ("harbor", "der Hafen", "zum Hafen"), ("office", "das Büro", "zum Büro"),
    ("city center", "das Stadtzentrum", "zum Stadtzentrum"),
    ("subway station", "die U-Bahn-Station", "zur U-Bahn-Station"),
]  # fmt: skip
# what one orders: english, german accusative
ORDERS = [
    ("a coffee", "einen Kaffee"), ("a cup of tea", "eine Tasse Tee"), ("a glass of water", "ein Glas Wasser"),
    ("a beer", "ein Bier"), ("a glass of wine", "ein Glas Wein"), ("an orange juice", "einen Orangensaft"),
    ("an apple juice", "einen Apfelsaft"), ("a pizza", "eine Pizza"), ("a salad", "einen Salat"),
    ("the soup", "die Suppe"), ("a sandwich", "ein Sandwich"), ("a piece of cake", "ein Stück Kuchen"),
    ("the fish", "den Fisch"), ("the steak", "das Steak"), ("some bread", "etwas Brot"), ("an ice cream", "ein Eis"),
    ("a bottle of water", "eine Flasche Wasser"), ("the menu", "die Speisekarte"), ("the bill", "die Rechnung"),
    ("a table for two", "einen Tisch für zwei"), ("a single room", "ein Einzelzimmer"),
    ("a double room", "ein Doppelzimmer"), ("a ticket", "eine Fahrkarte"), ("a newspaper", "eine Zeitung"),
    ("a hot chocolate", "eine heiße Schokolade"), ("two eggs", "zwei Eier"),
]  # fmt: skip
# english after "I am"; german of "I am", of "are you" to a friend, and politely
STATES = [
    ("hungry", "Ich habe Hunger", "Hast du Hunger", "Haben Sie Hunger"),
    ("thirsty", "Ich habe Durst", "Hast du Durst", "Haben Sie Durst"),
    ("tired", "Ich bin müde", "Bist du müde", "Sind Sie müde"),
    ("happy", "Ich bin glücklich", "Bist du glücklich", "Sind Sie glücklich"),
    ("sad", "Ich bin traurig", "Bist du traurig", "Sind Sie traurig"),
    ("sick", "Ich bin krank", "Bist du krank", "Sind Sie krank"),
    ("cold", "Mir ist kalt", "Ist dir kalt", "Ist Ihnen kalt"),
    ("bored", "Mir ist langweilig", "Ist dir langweilig", "Ist Ihnen langweilig"),
    ("busy", "Ich bin beschäftigt", "Bist du beschäftigt", "Sind Sie beschäftigt"),
    ("ready", "Ich bin bereit", "Bist du bereit", "Sind Sie bereit"),
    ("late", "Ich bin spät dran", "Bist du spät dran", "Sind Sie spät dran"),
    ("afraid", "Ich habe Angst", "Hast du Angst", "Haben Sie Angst"),
    ("married", "Ich bin verheiratet", "Bist du verheiratet", "Sind Sie verheiratet"),
    ("sure", "Ich bin sicher", "Bist du sicher", "Sind Sie sicher"),
    ("nervous", "Ich bin nervös", "Bist du nervös", "Sind Sie nervös"),
    ("angry", "Ich bin wütend", "Bist du wütend", "Sind Sie wütend"),
    ("right", "Ich habe recht", "Hast du recht", "Haben Sie recht"),
    ("lost", "Ich habe mich verlaufen", "Hast du dich verlaufen", "Haben Sie sich verlaufen"),
    ("at home", "Ich bin zu Hause", "Bist du zu Hause", "Sind Sie zu Hause"),
    ("alone", "Ich bin allein", "Bist du allein", "Sind Sie allein"),
    ("satisfied", "Ich bin zufrieden", "Bist du zufrieden", "Sind Sie zufrieden"),
    ("new here", "Ich bin neu hier", "Bist du neu hier", "Sind Sie neu hier"),
]  # fmt: skip
WEATHER = [
    ("It is raining", "Es regnet"), ("It is snowing", "Es schneit"), ("It is sunny", "Es ist sonnig"),
    ("It is cold", "Es ist kalt"), ("It is warm", "Es ist warm"), ("It is very hot", "Es ist sehr heiß"),
    ("It is windy", "Es ist windig"), ("It is cloudy", "Es ist bewölkt"), ("It is foggy", "Es ist neblig"),
    ("The sun is shining", "Die Sonne scheint"), ("The weather is nice", "Das Wetter ist schön"),
    ("The weather is bad", "Das Wetter ist schlecht"),
]  # fmt: skip
# english gerund and infinitive; german noun and infinitive
HOBBIES = [
    ("reading", "read", "Lesen", "lesen"), ("cooking", "cook", "Kochen", "kochen"),
    ("swimming", "swim", "Schwimmen", "schwimmen"), ("dancing", "dance", "Tanzen", "tanzen"),
    ("hiking", "hike", "Wandern", "wandern"), ("singing", "sing", "Singen", "singen"),
    ("painting", "paint", "Malen", "malen"), ("traveling", "travel", "Reisen", "reisen"),
    ("cycling", "ride a bike", "Radfahren", "Rad fahren"),
    ("playing football", "play football", "Fußballspielen", "Fußball spielen"),
    ("playing the piano", "play the piano", "Klavierspielen", "Klavier spielen"),
    ("playing the guitar", "play the guitar", "Gitarrespielen", "Gitarre spielen"),
    ("playing chess", "play chess", "Schachspielen", "Schach spielen"),
    ("listening to music", "listen to music", "Musikhören", "Musik hören"),
    ("skiing", "ski", "Skifahren", "Ski fahren"),
]  # fmt: skip
# english, german with "my", german pronoun
RELATIVES = [
    ("brother", "mein Bruder", "er"), ("sister", "meine Schwester", "sie"), ("father", "mein Vater", "er"),
    ("mother", "meine Mutter", "sie"), ("son", "mein Sohn", "er"), ("daughter", "meine Tochter", "sie"),
    ("wife", "meine Frau", "sie"), ("husband", "mein Mann", "er"), ("friend", "mein Freund", "er"),
    ("uncle", "mein Onkel", "er"), ("aunt", "meine Tante", "sie"), ("grandfather", "mein Großvater", "er"),
    ("grandmother", "meine Großmutter", "sie"), ("boss", "mein Chef", "er"), ("neighbor", "mein Nachbar", "er"),
    ("colleague", "mein Kollege", "er"), ("cat", "meine Katze", "sie"), ("dog", "mein Hund", "er"),
]  # fmt: skip
# things of a customer: german noun, gender (m, f, n; p: plural; w: weak masculine, whose accusative ends with -n), and what
# one does with them
THINGS = {
    "password": ("Passwort", "n", "change reset enter check find"),
    "account": ("Konto", "n", "delete open close check update find use activate block"),
    "user account": ("Benutzerkonto", "n", "delete close check update activate block"),
    "invoice": ("Rechnung", "f", "pay find print download send check see"),
    "order": ("Bestellung", "f", "cancel change track check find see confirm"),
    "subscription": ("Abonnement", "n", "cancel change renew check"),
    "e-mail address": ("E-Mail-Adresse", "f", "change enter confirm check update find"),
    "email address": ("E-Mail-Adresse", "f", "change enter confirm check update find"),
    "phone number": ("Telefonnummer", "f", "change enter confirm check update find"),
    "address": ("Adresse", "f", "change enter confirm check update find"),
    "user name": ("Benutzername", "w", "change enter find"),
    "appointment": ("Termin", "m", "cancel change confirm check"),
    "reservation": ("Reservierung", "f", "cancel change confirm check find"),
    "booking": ("Buchung", "f", "cancel change confirm check find"),
    "ticket": ("Ticket", "n", "print download send find cancel"),
    "contract": ("Vertrag", "m", "cancel change renew download send see"),
    "delivery": ("Lieferung", "f", "track check confirm"),
    "package": ("Paket", "n", "track send find open"),
    "credit card": ("Kreditkarte", "f", "use block find change"),
    "payment": ("Zahlung", "f", "cancel check confirm see"),
    "profile": ("Profil", "n", "delete change update see open"),
    "profile picture": ("Profilbild", "n", "delete change update upload"),
    "data": ("Daten", "p", "delete change check save download"),
    "settings": ("Einstellungen", "p", "change check save find reset open"),
    "files": ("Dateien", "p", "delete save open find download upload send"),
    "photos": ("Fotos", "p", "delete save open find download upload send see"),
    "messages": ("Nachrichten", "p", "delete open find read send see"),
    "document": ("Dokument", "n", "delete save open find download upload send print"),
    "file": ("Datei", "f", "delete save open find download upload send print"),
    "computer": ("Computer", "m", "restart use find"),
    "phone": ("Telefon", "n", "use find restart"),
    "printer": ("Drucker", "m", "use find restart"),
    "license": ("Lizenz", "f", "renew activate check find"),
    "application": ("Antrag", "m", "send print check cancel"),
}
# english infinitive, past and participle; german infinitive, stem of the polite imperative, its separated prefix, participle
VERBS = {
    "change": ("changed", "changed", "ändern", "ändern", "", "geändert"),
    "reset": ("reset", "reset", "zurücksetzen", "setzen", "zurück", "zurückgesetzt"),
    "enter": ("entered", "entered", "eingeben", "geben", "ein", "eingegeben"),
    "check": ("checked", "checked", "überprüfen", "überprüfen", "", "überprüft"),
    "find": ("found", "found", "finden", "finden", "", "gefunden"),
    "delete": ("deleted", "deleted", "löschen", "löschen", "", "gelöscht"),
    "open": ("opened", "opened", "öffnen", "öffnen", "", "geöffnet"),
    "close": ("closed", "closed", "schließen", "schließen", "", "geschlossen"),
    "update": ("updated", "updated", "aktualisieren", "aktualisieren", "", "aktualisiert"),
    "use": ("used", "used", "verwenden", "verwenden", "", "verwendet"),
    "activate": ("activated", "activated", "aktivieren", "aktivieren", "", "aktiviert"),
    "block": ("blocked", "blocked", "sperren", "sperren", "", "gesperrt"),
    "pay": ("paid", "paid", "bezahlen", "bezahlen", "", "bezahlt"),
    "print": ("printed", "printed", "ausdrucken", "drucken", "aus", "ausgedruckt"),
    "download": ("downloaded", "downloaded", "herunterladen", "laden", "herunter", "heruntergeladen"),
    "upload": ("uploaded", "uploaded", "hochladen", "laden", "hoch", "hochgeladen"),
    "send": ("sent", "sent", "senden", "senden", "", "gesendet"),
    "see": ("saw", "seen", "sehen", "sehen", "", "gesehen"),
    "cancel": ("canceled", "canceled", "stornieren", "stornieren", "", "storniert"),
    "track": ("tracked", "tracked", "verfolgen", "verfolgen", "", "verfolgt"),
    "confirm": ("confirmed", "confirmed", "bestätigen", "bestätigen", "", "bestätigt"),
    "renew": ("renewed", "renewed", "verlängern", "verlängern", "", "verlängert"),
    "save": ("saved", "saved", "speichern", "speichern", "", "gespeichert"),
    "read": ("read", "read", "lesen", "lesen", "", "gelesen"),
    "restart": ("restarted", "restarted", "neu starten", "starten", "neu", "neu gestartet"),
}
# where "cancel" is not "stornieren"
CANCEL = {
    "subscription": ("canceled", "canceled", "kündigen", "kündigen", "", "gekündigt"),
    "contract": ("canceled", "canceled", "kündigen", "kündigen", "", "gekündigt"),
    "appointment": ("canceled", "canceled", "absagen", "sagen", "ab", "abgesagt"),
}
ENDINGS = {  # of mein, Ihr, kein: nominative, accusative; of der: nominative, accusative
    "m": ("", "en", "der", "den"),
    "w": ("", "en", "der", "den"),
    "f": ("e", "e", "die", "die"),
    "n": ("", "", "das", "das"),
    "p": ("e", "e", "die", "die"),
}
