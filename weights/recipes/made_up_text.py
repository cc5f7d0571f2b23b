# SPDX-License-Identifier: Apache-2.0
"""English sentences and their German translations, written by recipe.

Corpora lack the first things that people type: introductions, greetings, requests to a support desk, clock times, prices,
and text that a translation must copy (addresses, file names, numbers). `pairs` makes any number of such sentences from
the templates below; the same seed gives the same list. A template is an English and a German sentence with the same
{values}; a value is one text for both sides or a pair (english, german). Where several translations are right, a template
lists them all.
"""

import random

from made_up_words import (
    CANCEL, CITIES, COUNTRIES, COUNTRIES_WITH_ARTICLE, DAYTIMES, ENDINGS, ENGLISH_SMALL, ENGLISH_TENS, GERMAN_SMALL,
    GERMAN_TENS, HOBBIES, JOBS, LANGUAGES, MEN, MONTHS, NATIONALITIES, ORDERS, ORDINALS, PLACES, RELATIVES, STATES, SURNAMES,
    THINGS, VERBS, WEATHER, WEEKDAYS, WOMEN,
)  # fmt: skip

# ------------------------------------------------------------------------------------------------------ language


def capital(text):
    return text[:1].upper() + text[1:]


def number_words(n):
    """(english, german) of 0 to 9999 in words."""
    if n < 20:
        return ENGLISH_SMALL[n], GERMAN_SMALL[n]
    if n < 100:
        tens, ones = divmod(n, 10)
        if ones == 0:
            return ENGLISH_TENS[tens], GERMAN_TENS[tens]
        german = "ein" if ones == 1 else GERMAN_SMALL[ones]
        return f"{ENGLISH_TENS[tens]}-{ENGLISH_SMALL[ones]}", f"{german}und{GERMAN_TENS[tens]}"
    size, english_name, german_name = (1000, "thousand", "tausend") if n >= 1000 else (100, "hundred", "hundert")
    count, rest = divmod(n, size)
    english = f"{ENGLISH_SMALL[count]} {english_name}"
    german = f"{'ein' if count == 1 else GERMAN_SMALL[count]}{german_name}"
    if rest == 0:
        return english, german
    english_rest, german_rest = number_words(rest)
    return f"{english} {'and ' if rest < 100 else ''}{english_rest}", german + german_rest


def grouped(n):
    """(english, german) of a number in figures, thousands apart."""
    return f"{n:,}", f"{n:,}".replace(",", ".")


def noun_phrase(thing, determiner, case):
    """German of a phrase such as "my invoice". `determiner` is "mein", "Ihr" or "der"; `case` is 0 for the nominative, 1
    for the accusative."""
    noun, gender, _ = THINGS[thing]
    if gender == "w" and case == 1:
        noun += "n"
    if determiner == "der":
        return f"{ENDINGS[gender][2 + case]} {noun}"
    return f"{determiner}{ENDINGS[gender][case]} {noun}"


def dative(thing, determiner):
    """German of a phrase such as "(with) my invoice"; `determiner` as in `noun_phrase`, without "der"."""
    noun, gender, _ = THINGS[thing]
    if gender == "w":
        noun += "n"
    ending = {"m": "em", "w": "em", "n": "em", "f": "er", "p": "en"}[gender]
    return f"{determiner}{ending} {noun}"


def with_zu(infinitive, prefix):
    """The infinitive after "to": "zu ändern", but "auszudrucken", and "neu zu starten"."""
    if prefix and infinitive.startswith(f"{prefix} "):
        return f"{prefix} zu {infinitive[len(prefix) + 1 :]}"
    return f"{prefix}zu{infinitive[len(prefix) :]}" if prefix else f"zu {infinitive}"


def inverted(sentence):
    """A main clause after another first part of the sentence: "es ist kalt" becomes "ist es kalt"."""
    subject, verb, rest = f"{sentence} ".split(" ", 2)
    if subject in ("Das", "Die"):  # das Wetter, die Sonne
        noun, (verb, *rest) = verb, rest.split(" ")
        return f"{verb} {subject.lower()} {noun} {' '.join(rest)}".strip()
    return f"{verb} {subject.lower()} {rest}".strip()


# -------------------------------------------------------------------------------------------------------- values


def person(rng):
    """(name, is a woman)"""
    woman = rng.random() < 0.5
    return rng.choice(WOMEN if woman else MEN), woman


def country(rng):
    """((english, german after "in" and "aus"), (english, german of "to" it))"""
    if rng.random() < 0.8:
        english, german = rng.choice(COUNTRIES)
        return (english, german), (f"to {english}", f"nach {german}")
    english, german, german_to = rng.choice(COUNTRIES_WITH_ARTICLE)
    return (english, german), (f"to {english}", german_to)


def identifier(rng):
    """Text that is the same in every language: a file, a command, an order number, a version, an address."""
    word = lambda low, high: "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(low, high)))  # noqa: E731
    number = lambda low, high: "".join(rng.choices("0123456789", k=rng.randint(low, high)))  # noqa: E731
    name = rng.choice("report config main test data index backup setup image notes server model table user log draft".split())
    return rng.choice((
        lambda: f"{name}.{rng.choice('txt pdf py cpp json csv docx png html log yaml zip'.split())}",
        lambda: f"{''.join(rng.choices('ABCDEFGHKLMNPRSTX', k=2))}-{number(3, 7)}",
        lambda: f"/{rng.choice('usr home var etc opt'.split())}/{word(3, 8)}/{name}",
        lambda: f"{name}_{word(2, 7)}",
        lambda: f"{rng.randint(0, 20)}.{rng.randint(0, 30)}.{rng.randint(0, 20)}",
        lambda: f"C:\\{capital(word(4, 8))}\\{name}.{rng.choice('txt ini exe log'.split())}",
        lambda: f"--{name}={rng.choice([word(3, 6), number(1, 4)])}",
        lambda: f"{word(3, 8)}-{number(1, 3)}.example.{rng.choice('com org net'.split())}",
        lambda: f"{rng.choice(['get', 'set', 'is', 'to', 'make'])}{capital(word(3, 8))}()",
    ))()  # fmt: skip


def email(rng):
    name, surname = rng.choice(WOMEN + MEN), rng.choice(SURNAMES)
    user = rng.choice([name, f"{name}.{surname}", f"{name}{rng.randint(1, 99)}", "info", "support", "sales"]).lower()
    user = user.translate(str.maketrans({"ü": "ue", "ä": "ae", "ö": "oe"}))
    host = rng.choice("example mail company shop school bank city-hotel web-service".split())
    return f"{user}@{host}.{rng.choice('com org net de at ch co.uk'.split())}"


def web_address(rng):
    host = rng.choice("example.com example.org www.example.com shop.example.net docs.example.org".split())
    page = rng.choice("help login account docs contact shop news download support faq".split())
    return f"https://{host}/{page}{rng.choice(['', f'/{rng.randint(1, 9999)}', '/index.html', f'?id={rng.randint(1, 999)}'])}"


def telephone(rng):
    shape = rng.choice(("0### #######", "+49 ### ######", "###-####", "###-###-####", "+1 ### ### ####", "0##/######", "### ## ##"))
    return "".join(str(rng.randrange(10)) if sign == "#" else sign for sign in shape)


def price(rng):
    """(english, german)"""
    english, german = grouped(rng.choice([rng.randint(1, 30), rng.randint(10, 200), rng.randint(100, 9999)]))
    cents = rng.choice([0, 0, 50, 99, 95, rng.randint(1, 99)])
    if cents:
        english, german = f"{english}.{cents:02}", f"{german},{cents:02}"
    before, after, german_after = rng.choice((
        ("$", "", "$"), ("€", "", "€"), ("£", "", "£"), ("", " euros", "Euro"), ("", " dollars", "Dollar"), ("", " EUR", "EUR"),
    ))  # fmt: skip
    return f"{before}{english}{after}", f"{german} {german_after}"


def clock(rng):
    """(english, german) of a time after "at" and "um"."""
    hour = rng.randint(1, 12)
    following = hour % 12 + 1
    kind = rng.randrange(8)
    if kind == 0:
        return f"{ENGLISH_SMALL[hour]} o'clock", f"{'ein' if hour == 1 else GERMAN_SMALL[hour]} Uhr"
    if kind == 1:
        return f"half past {ENGLISH_SMALL[hour]}", f"halb {GERMAN_SMALL[following]}"
    if kind == 2:
        return f"quarter past {ENGLISH_SMALL[hour]}", f"Viertel nach {GERMAN_SMALL[hour]}"
    if kind == 3:
        return f"quarter to {ENGLISH_SMALL[following]}", f"Viertel vor {GERMAN_SMALL[following]}"
    if kind == 4:
        english, german = number_words(rng.choice([5, 10, 20]))
        if rng.random() < 0.5:
            return f"{english} past {ENGLISH_SMALL[hour]}", f"{german} nach {GERMAN_SMALL[hour]}"
        return f"{english} to {ENGLISH_SMALL[following]}", f"{german} vor {GERMAN_SMALL[following]}"
    minute = rng.choice([0, 15, 30, 45, rng.randint(0, 59)])
    if kind == 5:
        hour = rng.randint(0, 23)
        return f"{hour}:{minute:02}", f"{hour}:{minute:02} Uhr"
    half, later = rng.choice([("a.m.", 0), ("am", 0), ("AM", 0), ("p.m.", 12), ("pm", 12), ("PM", 12)])
    if kind == 6:
        return f"{hour} {half}", f"{hour % 12 + later} Uhr"
    return f"{hour}:{minute:02} {half}", f"{hour % 12 + later}:{minute:02} Uhr"


def date(rng):
    """(english, german after "am")"""
    day, year = rng.randint(1, 28), rng.randint(1900, 2035)
    month, german_month = rng.choice(MONTHS)
    suffix = "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    english, german = rng.choice([f"{month} {day}", f"{month} {day}{suffix}"]), f"{day}. {german_month}"
    if rng.random() < 0.5:
        return rng.choice([f"{english}, {year}", f"{day} {month} {year}"]), f"{german} {year}"
    return english, german


# ----------------------------------------------------------------------------------------------------- templates


def filled(rng, templates, **values):
    """One of the templates (english, german, ...), with one of its translations."""
    english, *german = rng.choice(templates)
    sides = [{name: value if isinstance(value, (str, int)) else value[side] for name, value in values.items()} for side in (0, 1)]
    return english.format(**sides[0]), rng.choice(german).format(**sides[1])


GREETINGS = (
    ("Hello", "Hallo"), ("Hi", "Hallo"), ("Hey", "Hey"), ("Good morning", "Guten Morgen"), ("Good evening", "Guten Abend"),
    ("Good afternoon", "Guten Tag"), ("Good day", "Guten Tag"), ("Good night", "Gute Nacht"), ("Bye", "Tschüss"),
    ("Goodbye", "Auf Wiedersehen"), ("See you soon", "Bis bald"), ("See you tomorrow", "Bis morgen"),
    ("See you later", "Bis später"), ("Thank you", "Danke"), ("Thank you very much", "Vielen Dank"), ("Thanks", "Danke"),
    ("Thanks a lot", "Vielen Dank"), ("Welcome", "Willkommen"), ("Congratulations", "Herzlichen Glückwunsch"),
    ("Happy birthday", "Alles Gute zum Geburtstag"), ("Merry Christmas", "Frohe Weihnachten"), ("Good luck", "Viel Glück"),
    ("Happy New Year", "Frohes neues Jahr"), ("I am sorry", "Es tut mir leid"), ("I'm sorry", "Es tut mir leid"),
    ("Excuse me", "Entschuldigung"), ("Have fun", "Viel Spaß"),
)  # fmt: skip
AFTER_GREETINGS = (
    ("How are you?", "Wie geht es dir?", "Wie geht es Ihnen?"), ("How can I help you?", "Wie kann ich Ihnen helfen?"),
    ("How can I help?", "Wie kann ich helfen?"), ("Nice to meet you.", "Freut mich, Sie kennenzulernen."),
    ("What can I do for you?", "Was kann ich für Sie tun?"), ("I hope you are well.", "Ich hoffe, es geht Ihnen gut."),
    ("How was your day?", "Wie war dein Tag?"), ("Welcome to our shop.", "Willkommen in unserem Laden."),
    ("I have a question.", "Ich habe eine Frage."), ("I need your help.", "Ich brauche Ihre Hilfe."),
    ("Can you help me?", "Können Sie mir helfen?", "Kannst du mir helfen?"),
)  # fmt: skip
ADDRESSES = (("", ""), ("", ""), (" everyone", " zusammen"), (", everyone", " zusammen"), (", {name}", ", {name}"), (" {name}", ", {name}"),
             (", Mr. {surname}", ", Herr {surname}"), (", Mrs. {surname}", ", Frau {surname}"), (", Ms. {surname}", ", Frau {surname}"),
             (", Dr. {surname}", ", Dr. {surname}"))  # fmt: skip


def greeting(rng):
    hello, german_hello = filled(rng, GREETINGS)
    who, german_who = filled(rng, ADDRESSES, name=person(rng)[0], surname=rng.choice(SURNAMES))
    end = rng.choice(".!")
    english, german = f"{hello}{who}{end}", f"{german_hello}{german_who}{end}"
    if rng.random() < 0.4:
        more, german_more = filled(rng, AFTER_GREETINGS)
        return f"{english} {more}", f"{german} {german_more}"
    return english, german


INTRODUCTIONS = (
    ("{my_name} {name}.", "{my_name} {name}."),
    ("{my_name} {name} and {i_live} {city}.", "{my_name} {name} und {i}{i_live} {city}."),
    ("{my_name} {name} and {i_live} {city}.", "{my_name} {name} und {i}{i_live} {city}."),
    ("{my_name} {name} and {i_live} {country}.", "{my_name} {name} und {i}{i_live} {country}."),
    ("{my_name} {name} and {i_am} from {city}.", "{my_name} {name} und {i}komme aus {city}."),
    ("{my_name} {name} and {i_am} from {country}.", "{my_name} {name} und {i}komme aus {country}."),
    ("{my_name} {name}. {i_am} {age} years old.", "{my_name} {name}. Ich bin {age} Jahre alt."),
    ("{my_name} {name}, {i_am} {age} years old and {i_live} {city}.", "{my_name} {name}, {i}bin {age} Jahre alt und {i_live} {city}."),
    ("{my_name} {name} and {i_am} {job}.", "{my_name} {name} und {i}bin {job} von Beruf."),
    ("{my_name} {name} and I work as {job} in {city}.", "{my_name} {name} und {i}arbeite als {job} in {city}."),
    ("{i_live} {city}.", "Ich {i_live} {city}."),
    ("{i_live} {country}.", "Ich {i_live} {country}."),
    ("{i_am} from {city}.", "Ich komme aus {city}."),
    ("{i_am} from {country}.", "Ich komme aus {country}."),
    ("{i_am} from {city}, but {i_live} {country}.", "Ich komme aus {city}, aber ich {i_live} {country}."),
    ("{i_am} {age} years old.", "Ich bin {age} Jahre alt."),
    ("{i_am} {job}.", "Ich bin {job}."),
    ("I was born in {city}.", "Ich wurde in {city} geboren."),
    ("{name} is {job}.", "{name} ist {job}."),
    ("{name} is {age} years old.", "{name} ist {age} Jahre alt."),
    ("{name} lives in {city}.", "{name} wohnt in {city}."),
    ("{name} comes from {country}.", "{name} kommt aus {country}."),
    ("{name} is {nationality}.", "{name} ist {nationality}."),
    ("{name} works as {job}.", "{name} arbeitet als {job}."),
    ("{he} is {job}.", "{he} ist {job}."),
    ("{he} lives in {city}.", "{he} wohnt in {city}."),
    ("{his} name is {name}.", "{he} heißt {name}."),
    ("This is {name} from {city}.", "Das ist {name} aus {city}."),
    ("Do you live in {city}?", "Wohnst du in {city}?", "Wohnen Sie in {city}?"),
    ("Are you from {country}?", "Kommst du aus {country}?", "Kommen Sie aus {country}?"),
    ("Where does {name} live?", "Wo wohnt {name}?"),
    ("How old is {name}?", "Wie alt ist {name}?"),
    ("What is your name?", "Wie heißt du?", "Wie heißen Sie?"),
    ("Where do you live?", "Wo wohnst du?", "Wo wohnen Sie?"),
    ("Where are you from?", "Woher kommst du?", "Woher kommen Sie?"),
    ("How old are you?", "Wie alt bist du?", "Wie alt sind Sie?"),
    ("What do you do for a living?", "Was machst du beruflich?", "Was machen Sie beruflich?"),
)


def introduction(rng):
    name, woman = person(rng)
    if rng.random() < 0.2:
        name = f"{name} {rng.choice(SURNAMES)}"
    job, *german_jobs = rng.choice(JOBS)
    nationality, *german_nationalities = rng.choice(NATIONALITIES)
    age = rng.randint(5, 90)
    i_am = rng.choice(["I am", "I'm"])
    my_name = rng.choice((
        ("My name is", "Ich heiße"), ("My name is", "Mein Name ist"), ("My name's", "Mein Name ist"), (i_am, "Ich bin"),
    ))  # fmt: skip
    he = ("She", "Sie") if woman else ("He", "Er")
    return filled(
        rng,
        INTRODUCTIONS,
        name=name,
        my_name=my_name,
        i="ich " if my_name[1] == "Mein Name ist" else "",  # "Ich heiße Anna und wohne", "Mein Name ist Anna und ich wohne"
        i_am=i_am,
        i_live=rng.choice((("I live in", "wohne in"), ("I live in", "lebe in"), ("I work in", "arbeite in"), ("I study in", "studiere in"))),
        city=rng.choice(CITIES),
        country=country(rng)[0],
        age=str(age) if rng.random() < 0.6 else number_words(age),
        job=(job, german_jobs[woman]),
        nationality=(nationality, german_nationalities[woman]),
        he=he,
        his=("Her", "Ihr") if woman else ("His", "Sein"),
    )


ABOUT_RELATIVES = (
    ("My {relative} is called {name}.", "{relative} heißt {name}."),
    ("My {relative}'s name is {name}.", "{relative} heißt {name}."),
    ("My {relative} is {age} years old.", "{relative} ist {age} Jahre alt."),
    ("This is my {relative} {name}.", "Das ist {my_relative} {name}."),
    ("This is my {relative}.", "Das ist {my_relative}."),
    ("Where is my {relative}?", "Wo ist {my_relative}?"),
    ("My {relative} is sick.", "{relative} ist krank."),
)
ABOUT_HUMAN_RELATIVES = ABOUT_RELATIVES + (
    ("My {relative} lives in {city}.", "{relative} wohnt in {city}."),
    ("My {relative} works in {city}. {he} is {job}.", "{relative} arbeitet in {city}. {he} ist {job}."),
    ("My {relative} is {job}.", "{relative} ist {job}."),
)


def relatives(rng):
    relative, german, pronoun = rng.choice(RELATIVES)
    woman = pronoun == "sie"
    job, *german_jobs = rng.choice(JOBS)
    return filled(
        rng,
        ABOUT_RELATIVES if relative in ("cat", "dog") else ABOUT_HUMAN_RELATIVES,
        relative=(relative, capital(german)),
        my_relative=(f"my {relative}", german),
        name=rng.choice(WOMEN if woman else MEN),
        age=rng.randint(1, 90),
        city=rng.choice(CITIES),
        job=(job, german_jobs[woman]),
        he=("She", "Sie") if woman else ("He", "Er"),
    )


TIMES_AND_DATES = (
    ("It is {clock}.", "Es ist {clock}."),
    ("It's {clock}.", "Es ist {clock}."),
    ("What time is it?", "Wie spät ist es?", "Wie viel Uhr ist es?"),
    ("Do you know what time it is?", "Wissen Sie, wie spät es ist?", "Weißt du, wie spät es ist?"),
    ("The {event} starts at {clock}.", "{the_event} beginnt um {clock}."),
    ("The {event} ends at {clock}.", "{the_event} endet um {clock}."),
    ("When does the {event} start?", "Wann beginnt {event}?"),
    ("The train leaves at {clock}.", "Der Zug fährt um {clock} ab."),
    ("The flight is at {clock}.", "Der Flug geht um {clock}."),
    ("Let's meet at {clock}.", "Treffen wir uns um {clock}."),
    ("Can we meet on {weekday} at {clock}?", "Können wir uns am {weekday} um {clock} treffen?"),
    ("I will be there at {clock}.", "Ich werde um {clock} da sein."),
    ("I get up at {clock}.", "Ich stehe um {clock} auf."),
    ("See you on {weekday}.", "Bis {weekday}."),
    ("See you on {weekday} at {clock}.", "Bis {weekday} um {clock}."),
    ("Today is {weekday}.", "Heute ist {weekday}."),
    ("Tomorrow is {weekday}.", "Morgen ist {weekday}."),
    ("Yesterday was {weekday}.", "Gestern war {weekday}."),
    ("What day is it today?", "Welcher Tag ist heute?"),
    ("We are closed on {weekday}s.", "{weekday}s haben wir geschlossen."),
    ("We are open on {weekday}.", "Wir haben am {weekday} geöffnet."),
    ("I have an appointment on {weekday}.", "Ich habe am {weekday} einen Termin."),
    ("I have an appointment on {weekday} at {clock}.", "Ich habe am {weekday} um {clock} einen Termin."),
    ("Do you have time {daytime}?", "Hast du {daytime} Zeit?", "Haben Sie {daytime} Zeit?"),
    ("I will call you {daytime}.", "Ich rufe dich {daytime} an.", "Ich rufe Sie {daytime} an."),
    ("I will come {daytime}.", "Ich komme {daytime}."),
    ("{name} will come {daytime}.", "{name} kommt {daytime}."),
    ("My birthday is on {date}.", "Mein Geburtstag ist am {date}."),
    ("I was born on {date}.", "Ich wurde am {date} geboren."),
    ("The invoice of {date} has not been paid.", "Die Rechnung vom {date} wurde nicht bezahlt."),
    ("The {event} is on {date}.", "{the_event} ist am {date}."),
    ("Today is {date}.", "Heute ist der {date}."),
    ("I was born in {year}.", "Ich wurde {year} geboren."),
    ("He was born in {year}.", "Er wurde {year} geboren."),
    ("In {month} it is often cold.", "Im {month} ist es oft kalt."),
    ("We are going on vacation in {month}.", "Wir fahren im {month} in den Urlaub."),
    ("The course begins in {month} {year}.", "Der Kurs beginnt im {month} {year}."),
    ("The shop opens at {clock}.", "Das Geschäft öffnet um {clock}."),
    ("The shop closes at {clock}.", "Das Geschäft schließt um {clock}."),
)
EVENTS = (
    ("meeting", "die Besprechung"), ("film", "der Film"), ("concert", "das Konzert"), ("lesson", "der Unterricht"),
    ("party", "die Party"), ("course", "der Kurs"), ("game", "das Spiel"), ("movie", "der Film"), ("conference", "die Konferenz"),
)  # fmt: skip


def time_and_date(rng):
    event = rng.choice(EVENTS)
    return filled(
        rng,
        TIMES_AND_DATES,
        clock=clock(rng),
        weekday=rng.choice(WEEKDAYS),
        month=rng.choice(MONTHS),
        daytime=rng.choice(DAYTIMES),
        date=date(rng),
        year=rng.randint(1700, 2035),
        event=event,
        the_event=("", capital(event[1])),
        name=person(rng)[0],
    )


OPENING_HOURS = (
    ("The {place} is open from {begin} a.m. to {end} p.m.", "{the_place} ist von {begin} bis {end} Uhr geöffnet."),
    ("{first} to {last}, {begin} am to {end} pm", "{first} bis {last}, {begin} bis {end} Uhr"),
    ("We are open from {first} to {last}.", "Wir haben von {first} bis {last} geöffnet."),
    ("The {place} is closed on {first}.", "{the_place} ist am {first} geschlossen."),
    ("When does the {place} open?", "Wann öffnet {place}?"),
    ("When does the {place} close?", "Wann schließt {place}?"),
    ("Is the {place} open today?", "Ist {place} heute geöffnet?"),
    ("What are your opening hours?", "Wie sind Ihre Öffnungszeiten?"),
)


def opening_hours(rng):
    first, last = sorted(rng.sample(range(7), 2))
    english, german, _ = rng.choice(PLACES)
    end = rng.randint(1, 10)
    return filled(
        rng,
        OPENING_HOURS,
        place=(english, german),
        the_place=("", capital(german)),
        first=WEEKDAYS[first],
        last=WEEKDAYS[last],
        begin=rng.randint(6, 11),
        end=(str(end), str(end + 12)),
    )


WAYS = (
    ("Where is the {place}?", "Wo ist {place}?"),
    ("Where is the nearest {place}?", "Wo ist {nearest_place}?"),
    ("Excuse me, where is the {place}?", "Entschuldigung, wo ist {place}?"),
    ("How do I get to the {place}?", "Wie komme ich {to_place}?"),
    ("Can you tell me the way to the {place}?", "Können Sie mir den Weg {to_place} sagen?"),
    ("Is it far to the {place}?", "Ist es weit {to_place}?"),
    ("The {place} is on the {side}.", "{the_place} ist auf der {side}en Seite."),
    ("Turn {side} at the {place}.", "Biegen Sie {at_place} {side}s ab."),
    ("Turn {side}.", "Biegen Sie {side}s ab."),
    ("Go straight ahead.", "Gehen Sie geradeaus."),
    ("Go straight ahead, then turn {side}.", "Gehen Sie geradeaus und biegen Sie dann {side}s ab."),
    ("Take the {ordinal} street on the {side}.", "Nehmen Sie die {ordinal} Straße {side}s."),
    ("It is {distance} kilometers to {city}.", "Es sind {distance} Kilometer bis {city}."),
    ("How far is {city}?", "Wie weit ist {city} entfernt?"),
    ("I am traveling {to_country}.", "Ich reise {to_country}."),
    ("We are flying {to_country} in summer.", "Wir fliegen im Sommer {to_country}."),
    ("I would like to go to {city}.", "Ich möchte nach {city} fahren."),
    ("I want to go {to_country}.", "Ich möchte {to_country} fahren."),
    ("A ticket to {city}, please.", "Eine Fahrkarte nach {city}, bitte."),
    ("When does the train to {city} leave?", "Wann fährt der Zug nach {city} ab?"),
    ("Does this bus go to the {place}?", "Fährt dieser Bus {to_place}?"),
    ("Have you ever been to {city}?", "Waren Sie schon einmal in {city}?", "Warst du schon einmal in {city}?"),
    ("She has never been to {country}.", "Sie war noch nie in {country}."),
    ("He has never been to {city}.", "Er war noch nie in {city}."),
    ("I have been to {city} twice.", "Ich war zweimal in {city}."),
    ("I am going to the {place}.", "Ich gehe {to_place}."),
)


def way(rng):
    english, german, german_to = rng.choice(PLACES)
    article, noun = german.split(" ", 1)
    in_country, to_country = country(rng)
    return filled(
        rng,
        WAYS,
        place=(english, german),
        the_place=("", capital(german)),
        to_place=("", german_to),
        at_place=("", f"an der {noun}" if article == "die" else f"am {noun}"),
        nearest_place=("", f"{article} nächste {noun}"),
        side=rng.choice([("left", "link"), ("right", "recht")]),
        ordinal=rng.choice(ORDINALS[:3] + [("next", "nächste")]),
        distance=rng.randint(2, 900),
        city=rng.choice(CITIES),
        country=in_country,
        to_country=to_country,
    )


SHOPPING = (
    ("How much is the {goods}?", "Wie viel kostet {goods}?"),
    ("How much does the {goods} cost?", "Wie viel kostet {goods}?"),
    ("How much does it cost?", "Wie viel kostet das?"),
    ("How much is it?", "Wie viel kostet es?"),
    ("It costs {price}.", "Es kostet {price}."),
    ("The {goods} costs {price}.", "{the_goods} kostet {price}."),
    ("That is {price}.", "Das macht {price}."),
    ("I paid {price} for it.", "Ich habe {price} dafür bezahlt."),
    ("The total amount is {price}.", "Der Gesamtbetrag beträgt {price}."),
    ("Your refund of {price} has been sent.", "Ihre Rückerstattung in Höhe von {price} wurde gesendet."),
    ("There is a fee of {price}.", "Es fällt eine Gebühr von {price} an."),
    ("I would like {order}, please.", "Ich hätte gern {order}, bitte.", "Ich möchte bitte {order}."),
    ("I'd like {order}.", "Ich hätte gern {order}."),
    ("Can I have {order}, please?", "Kann ich bitte {order} haben?"),
    ("I would like {order} and {second_order}.", "Ich hätte gern {order} und {second_order}."),
    ("Could you bring me {order}?", "Könnten Sie mir {order} bringen?"),
    ("{capital_order}, please.", "{capital_order}, bitte."),
    ("Can I pay by credit card?", "Kann ich mit Kreditkarte bezahlen?"),
    ("Do you accept credit cards?", "Akzeptieren Sie Kreditkarten?"),
    ("The {goods} is too expensive.", "{the_goods} ist zu teuer."),
    ("Do you like the {goods}?", "Gefällt dir {goods}?", "Gefällt Ihnen {goods}?"),
)
GOODS = (
    ("shirt", "das Hemd"), ("jacket", "die Jacke"), ("book", "das Buch"), ("bag", "die Tasche"), ("bicycle", "das Fahrrad"),
    ("car", "das Auto"), ("room", "das Zimmer"), ("ticket", "die Fahrkarte"), ("hat", "der Hut"), ("watch", "die Uhr"),
    ("phone", "das Telefon"), ("laptop", "der Laptop"), ("lamp", "die Lampe"), ("table", "der Tisch"),
)  # fmt: skip


def shopping(rng):
    goods, order = rng.choice(GOODS), rng.choice(ORDERS)
    return filled(
        rng,
        SHOPPING,
        price=price(rng),
        order=order,
        capital_order=tuple(map(capital, order)),
        second_order=rng.choice(ORDERS),
        goods=goods,
        the_goods=("", capital(goods[1])),
    )


NUMBERS = (
    ("{words}", "{words}"),
    ("{capital_words}.", "{capital_words}."),
    ("The number is {words}.", "Die Zahl ist {words}."),
    ("The number is {n}.", "Die Zahl ist {n}."),
    ("I have {many} {items}.", "Ich habe {many} {items}."),
    ("There are {many} {items}.", "Es gibt {many} {items}."),
    ("We need {many} {items}.", "Wir brauchen {many} {items}."),
    ("How many {items} do you have?", "Wie viele {items} hast du?", "Wie viele {items} haben Sie?"),
    ("How many?", "Wie viele?"),
    ("{big} people live here.", "Hier leben {big} Menschen."),
    ("The city has {big} inhabitants.", "Die Stadt hat {big} Einwohner."),
    ("The value is {decimal}.", "Der Wert ist {decimal}."),
    ("{decimal}% of the users agree.", "{decimal} % der Benutzer stimmen zu."),
    ("{n} percent", "{n} Prozent"),
    ("It is {n} {unit}.", "Es sind {n} {unit}."),
    ("My phone number is {telephone}.", "Meine Telefonnummer ist {telephone}."),
    ("My telephone number is {telephone}.", "Meine Telefonnummer lautet {telephone}."),
    ("Please call us at {telephone}.", "Bitte rufen Sie uns unter {telephone} an."),
    ("You can reach me at {telephone}.", "Sie erreichen mich unter {telephone}."),
    ("Room {n} is on the {ordinal} floor.", "Zimmer {n} ist im {ordinal}n Stock."),
    ("This is the {ordinal} time.", "Das ist das {ordinal} Mal."),
    ("Page {n}", "Seite {n}"),
    ("{n} plus {m} is {sum}.", "{n} plus {m} ist {sum}."),
)
ITEMS = (
    ("books", "Bücher"), ("apples", "Äpfel"), ("people", "Personen"), ("children", "Kinder"), ("houses", "Häuser"),
    ("days", "Tage"), ("hours", "Stunden"), ("minutes", "Minuten"), ("weeks", "Wochen"), ("years", "Jahre"), ("cars", "Autos"),
    ("chairs", "Stühle"), ("tickets", "Fahrkarten"), ("messages", "Nachrichten"), ("files", "Dateien"), ("dogs", "Hunde"),
    ("questions", "Fragen"), ("friends", "Freunde"),
)  # fmt: skip
UNITS = (
    ("kilometers", "Kilometer"), ("meters", "Meter"), ("kilograms", "Kilogramm"), ("liters", "Liter"), ("miles", "Meilen"),
    ("degrees", "Grad"), ("km", "km"), ("kg", "kg"), ("GB", "GB"), ("MB", "MB"), ("seconds", "Sekunden"), ("meters", "Meter"),
)  # fmt: skip


def numbers(rng):
    n, m = rng.choice([rng.randint(2, 20), rng.randint(21, 100), rng.randint(101, 9999)]), rng.randint(2, 99)
    words, decimal = number_words(n), f"{rng.randint(0, 99)}.{rng.randint(1, 99)}"
    return filled(
        rng,
        NUMBERS,
        n=n,
        m=m,
        sum=n + m,
        words=words,
        capital_words=tuple(map(capital, words)),
        many=rng.choice([str(m), number_words(m)]),
        items=rng.choice(ITEMS),
        big=grouped(rng.choice([rng.randint(1000, 99999), rng.randint(100000, 9999999)])),
        decimal=(decimal, decimal.replace(".", ",")),
        unit=rng.choice(UNITS),
        telephone=telephone(rng),
        ordinal=rng.choice(ORDINALS),
    )


REQUESTS = (
    ("I would like to {verb} my {thing}.", "Ich möchte {my_thing} {verb}."),
    ("I'd like to {verb} my {thing}.", "Ich möchte {my_thing} {verb}."),
    ("I want to {verb} my {thing}.", "Ich möchte {my_thing} {verb}."),
    ("I need to {verb} my {thing}.", "Ich muss {my_thing} {verb}."),
    ("How can I {verb} my {thing}?", "Wie kann ich {my_thing} {verb}?"),
    ("How do I {verb} my {thing}?", "Wie kann ich {my_thing} {verb}?"),
    ("Where can I {verb} my {thing}?", "Wo kann ich {my_thing} {verb}?"),
    ("Why can't I {verb} my {thing}?", "Warum kann ich {my_thing} nicht {verb}?"),
    ("I can't {verb} my {thing}.", "Ich kann {my_thing} nicht {verb}."),
    ("I cannot {verb} the {thing}.", "Ich kann {the_thing} nicht {verb}."),
    ("Can you {verb} my {thing}?", "Können Sie {my_thing} {verb}?"),
    ("Can you please {verb} my {thing}?", "Können Sie bitte {my_thing} {verb}?"),
    ("Could you {verb} my {thing}, please?", "Könnten Sie bitte {my_thing} {verb}?"),
    ("Can you help me {verb} my {thing}?", "Können Sie mir helfen, {my_thing} {to_verb}?"),
    ("Please {verb} your {thing}.", "Bitte {stem} Sie {your_thing}{prefix}."),
    ("Please {verb} the {thing}.", "Bitte {stem} Sie {the_thing}{prefix}."),
    ("You can {verb} your {thing} at any time.", "Sie können {your_thing} jederzeit {verb}."),
    ("You must {verb} your {thing} first.", "Sie müssen zuerst {your_thing} {verb}."),
    ("You have to {verb} your {thing}.", "Sie müssen {your_thing} {verb}."),
    ("Do you want to {verb} your {thing}?", "Möchten Sie {your_thing} {verb}?"),
    ("Have you already {participle} your {thing}?", "Haben Sie {your_thing} schon {participle}?"),
    ("I have already {participle} my {thing}.", "Ich habe {my_thing} bereits {participle}."),
    ("I {past} my {thing} yesterday.", "Ich habe {my_thing} gestern {participle}."),
    ("Your {thing} {has} been {participle}.", "{subject_your_thing} {was} {participle}."),
    ("The {thing} {has} been {participle}.", "{subject_thing} {was} {participle}."),
    ("The {thing} could not be {participle}.", "{subject_thing} {could} nicht {participle} werden."),
    ("To {verb} your {thing}, click here.", "Um {your_thing} {to_verb}, klicken Sie hier."),
    ("{capital_verb} the {thing}", "{capital_thing} {verb}"),
    ("Where {is_} my {thing}?", "Wo {is_} {subject_my_thing}?"),
    ("I forgot my {thing}.", "Ich habe {my_thing} vergessen."),
    ("I lost my {thing}.", "Ich habe {my_thing} verloren."),
    ("I can't find my {thing}.", "Ich kann {my_thing} nicht finden."),
    ("I have a question about my {thing}.", "Ich habe eine Frage zu {dative_my_thing}."),
    ("There is a problem with my {thing}.", "Es gibt ein Problem mit {dative_my_thing}."),
)


def request(rng):
    thing = rng.choice(list(THINGS))
    verb = rng.choice(THINGS[thing][2].split())
    forms = CANCEL.get(thing, VERBS[verb]) if verb == "cancel" else VERBS[verb]
    past, participle, infinitive, stem, prefix, german_participle = forms
    plural = THINGS[thing][1] == "p"
    return filled(
        rng,
        REQUESTS,
        thing=thing,
        my_thing=("", noun_phrase(thing, "mein", 1)),
        your_thing=("", noun_phrase(thing, "Ihr", 1)),
        the_thing=("", noun_phrase(thing, "der", 1)),
        capital_thing=("", capital(noun_phrase(thing, "der", 1))),
        subject_thing=("", capital(noun_phrase(thing, "der", 0))),
        subject_my_thing=("", noun_phrase(thing, "mein", 0)),
        subject_your_thing=("", noun_phrase(thing, "Ihr", 0)),
        dative_my_thing=("", dative(thing, "mein")),
        verb=(verb, infinitive),
        capital_verb=(capital(verb), ""),
        to_verb=("", with_zu(infinitive, prefix)),
        stem=("", stem),
        prefix=("", f" {prefix}" if prefix else ""),
        past=(past, ""),
        participle=(participle, german_participle),
        has=("have" if plural else "has", ""),
        was=("", "wurden" if plural else "wurde"),
        could=("", "konnten" if plural else "konnte"),
        is_=("are", "sind") if plural else ("is", "ist"),
    )


SUPPORT = (
    ("Send an e-mail to {email}.", "Senden Sie eine E-Mail an {email}."),
    ("Please send an email to {email}.", "Bitte senden Sie eine E-Mail an {email}."),
    ("Please write to {email} or call {telephone}.", "Bitte schreiben Sie an {email} oder rufen Sie {telephone} an."),
    ("My e-mail address is {email}.", "Meine E-Mail-Adresse ist {email}."),
    ("My email is {email}.", "Meine E-Mail-Adresse ist {email}."),
    ("Contact us at {email}.", "Kontaktieren Sie uns unter {email}."),
    ("The message to {email} could not be delivered.", "Die Nachricht an {email} konnte nicht zugestellt werden."),
    ("Go to {page}.", "Gehen Sie zu {page}."),
    ("Open {page} in your browser.", "Öffnen Sie {page} in Ihrem Browser."),
    ("For more information, see {page}.", "Weitere Informationen finden Sie unter {page}."),
    ("More information: {page}", "Weitere Informationen: {page}"),
    ("Visit {page} to learn more.", "Besuchen Sie {page}, um mehr zu erfahren."),
    ("The file {identifier} was not found.", "Die Datei {identifier} wurde nicht gefunden."),
    ("Could not open {identifier}.", "{identifier} konnte nicht geöffnet werden."),
    ("Delete {identifier} and try again.", "Löschen Sie {identifier} und versuchen Sie es erneut."),
    ("Please install version {identifier}.", "Bitte installieren Sie Version {identifier}."),
    ("Use {identifier} to change the setting.", "Verwenden Sie {identifier}, um die Einstellung zu ändern."),
    ("The option {identifier} is not supported.", "Die Option {identifier} wird nicht unterstützt."),
    ("Error: {identifier} is missing.", "Fehler: {identifier} fehlt."),
    ("My order number is {identifier}.", "Meine Bestellnummer ist {identifier}."),
    ("Your order {identifier} has been shipped.", "Ihre Bestellung {identifier} wurde versandt."),
    ("I have a question about order {identifier}.", "Ich habe eine Frage zur Bestellung {identifier}."),
    ("The ticket {identifier} has been closed.", "Das Ticket {identifier} wurde geschlossen."),
    ("Call {identifier} before you start.", "Rufen Sie {identifier} auf, bevor Sie beginnen."),
    ("{identifier}", "{identifier}"),
    ("{email}", "{email}"),
    ("I forgot my password.", "Ich habe mein Passwort vergessen."),
    ("I cannot log in.", "Ich kann mich nicht anmelden."),
    ("I can't log in to my account.", "Ich kann mich nicht bei meinem Konto anmelden."),
    ("Please enter your user name and password.", "Bitte geben Sie Ihren Benutzernamen und Ihr Passwort ein."),
    ("The connection was interrupted.", "Die Verbindung wurde unterbrochen."),
    ("Please try again later.", "Bitte versuchen Sie es später erneut."),
    ("An error has occurred.", "Ein Fehler ist aufgetreten."),
    ("When will my order arrive?", "Wann kommt meine Bestellung an?"),
    ("My package has not arrived yet.", "Mein Paket ist noch nicht angekommen."),
    ("I would like to speak to an employee.", "Ich möchte mit einem Mitarbeiter sprechen."),
    ("Thank you for your message.", "Vielen Dank für Ihre Nachricht."),
    ("We will get back to you as soon as possible.", "Wir melden uns so schnell wie möglich bei Ihnen."),
    ("Is there anything else I can help you with?", "Kann ich Ihnen sonst noch helfen?"),
    ("We apologize for the inconvenience.", "Wir entschuldigen uns für die Unannehmlichkeiten."),
    ("The server is not available.", "Der Server ist nicht verfügbar."),
    ("Please restart the computer.", "Bitte starten Sie den Computer neu."),
    ("The printer does not work.", "Der Drucker funktioniert nicht."),
    ("How can I help you?", "Wie kann ich Ihnen helfen?"),
    ("Do you need help?", "Brauchen Sie Hilfe?", "Brauchst du Hilfe?"),
    ("Can you help me?", "Können Sie mir helfen?", "Kannst du mir helfen?"),
)


def support(rng):
    return filled(rng, SUPPORT, email=email(rng), page=web_address(rng), identifier=identifier(rng), telephone=telephone(rng))


DAILY = (
    ("{i_am} {state}.", "{state}."),
    ("Are you {state}?", "{are_you}?", "{are_you_politely}?"),
    ("{weather}.", "{weather}."),
    ("{weather} today.", "Heute {inverted_weather}."),
    ("{weather} in {city}.", "In {city} {inverted_weather}."),
    ("How is the weather in {city}?", "Wie ist das Wetter in {city}?"),
    ("I like {hobby}.", "Ich mag {hobby}.", "{hobby} macht mir Spaß."),
    ("My hobby is {hobby}.", "Mein Hobby ist {hobby}."),
    ("I can {activity}.", "Ich kann {activity}."),
    ("Can you {activity}?", "Kannst du {activity}?", "Können Sie {activity}?"),
    ("{name} wants to {activity}.", "{name} möchte {activity}."),
    ("I would like to {activity}.", "Ich möchte gern {activity}."),
    ("Do you speak {language}?", "Sprichst du {language}?", "Sprechen Sie {language}?"),
    ("I speak {language}.", "Ich spreche {language}."),
    ("I speak a little {language}.", "Ich spreche ein wenig {language}."),
    ("I am learning {language}.", "Ich lerne {language}."),
    ("{name} speaks {language} very well.", "{name} spricht sehr gut {language}."),
    ("How do you say that in {language}?", "Wie sagt man das auf {language}?"),
    ("Please translate this into {language}.", "Bitte übersetzen Sie das ins {language}e."),
    ("Where is {name}?", "Wo ist {name}?"),
    ("I am looking for {name}.", "Ich suche {name}."),
    ("Do you know {name}?", "Kennst du {name}?", "Kennen Sie {name}?"),
    ("{name} is my friend.", "{name} ist {friend}."),
    ("Is {name} at home?", "Ist {name} zu Hause?"),
    ("I miss {name}.", "Ich vermisse {name}."),
    ("{name} has a new car.", "{name} hat ein neues Auto."),
    ("I am waiting for {name}.", "Ich warte auf {name}."),
    ("Greetings from {city}!", "Grüße aus {city}!"),
)


def daily(rng):
    state, i_am, are_you, are_you_politely = rng.choice(STATES)
    weather = rng.choice(WEATHER)
    gerund, infinitive, german_noun, german_infinitive = rng.choice(HOBBIES)
    name, woman = person(rng)
    return filled(
        rng,
        DAILY,
        i_am=rng.choice(["I am", "I'm"]),
        state=(state, i_am),
        are_you=("", are_you),
        are_you_politely=("", are_you_politely),
        weather=weather,
        inverted_weather=("", inverted(weather[1])),
        hobby=(gerund, german_noun),
        activity=(infinitive, german_infinitive),
        language=rng.choice(LANGUAGES),
        city=rng.choice(CITIES),
        name=name,
        friend=("", "meine Freundin" if woman else "mein Freund"),
    )


# the kinds of text and their weights
KINDS = (
    (greeting, 8), (introduction, 16), (relatives, 5), (time_and_date, 15), (opening_hours, 4), (way, 10), (shopping, 9), (numbers, 11),
    (request, 18), (support, 14), (daily, 12),
)  # fmt: skip


def pairs(count, seed):
    """`count` pairs (english, german). Fixed phrases come up again and again; the caller chooses how many copies to keep."""
    rng = random.Random(seed)
    kinds, weights = zip(*KINDS)
    return [rng.choices(kinds, weights)[0](rng) for _ in range(count)]
