"""The little world the corpus speaks of: its words, its forty-eight people, and what is true of them.

Countries, animals, opposites and so on are as in life; the people are invented. Everything here is fixed by `WORLD_SEED`.
"""

import random
from dataclasses import dataclass

WORLD_SEED = 7

SHE = "Anna Mia Eva Lily Nora Ruby Sara Zoe Emma Ivy Clara Julia Maya Alice Lena Rosa Ella Nina Dora Kate Lucy Mary Jane Vera".split()
HE = "Tom Ben Leo Max Sam Jack Noah Adam Oscar Paul Hugo Finn Luke Omar Ivan Karl Nick Peter Ron Carl Dan Fred Joe Mark".split()
PEOPLE = SHE + HE

COUNTRIES = {
    "France": "Paris", "Spain": "Madrid", "Italy": "Rome", "Germany": "Berlin", "England": "London", "Russia": "Moscow",
    "Japan": "Tokyo", "China": "Beijing", "Egypt": "Cairo", "Greece": "Athens", "Norway": "Oslo", "Sweden": "Stockholm",
    "Poland": "Warsaw", "Austria": "Vienna", "Ireland": "Dublin", "Portugal": "Lisbon", "Cuba": "Havana", "Peru": "Lima",
    "Kenya": "Nairobi", "Canada": "Ottawa", "Denmark": "Copenhagen", "Finland": "Helsinki", "Turkey": "Ankara", "Hungary": "Budapest",
}  # fmt: skip
CITIES = list(COUNTRIES.values())

ANIMALS = "dog cat horse cow pig sheep goat duck hen frog bear lion wolf fox mouse rabbit bird fish snake owl bee monkey".split()
SOUNDS = {"dog": "bark", "cat": "meow", "cow": "moo", "pig": "oink", "sheep": "baa", "duck": "quack", "horse": "neigh", "lion": "roar", "wolf": "howl", "snake": "hiss", "owl": "hoot", "bee": "buzz", "mouse": "squeak", "frog": "croak", "hen": "cluck", "bird": "tweet"}
YOUNG = {"dog": "puppy", "cat": "kitten", "cow": "calf", "sheep": "lamb", "horse": "foal", "goat": "kid", "duck": "duckling", "hen": "chick", "bear": "cub", "pig": "piglet", "frog": "tadpole", "owl": "owlet"}
LEGS = {"dog": "4", "cat": "4", "horse": "4", "cow": "4", "bird": "2", "hen": "2", "duck": "2", "owl": "2", "fish": "0", "snake": "0", "bee": "6", "frog": "4", "mouse": "4"}
FOODS = "bread cheese rice soup cake apple pear plum grape lemon egg bean corn honey milk tea pie nut peach onion".split()
COLOURS = "red blue green yellow black white pink brown grey orange purple gold".split()
THINGS = "ball box hat book cup key lamp chair table bag coat shoe ring drum kite boat car bike clock pen spoon map coin bell".split()
JOBS = "baker doctor farmer teacher singer pilot painter driver cook nurse writer sailor judge dancer tailor builder".split()
PLACES = "park garden kitchen school market forest beach river farm station library museum".split()
KINDS = {"animal": ANIMALS, "food": FOODS, "colour": COLOURS, "thing": THINGS, "job": JOBS, "place": PLACES, "city": CITIES, "country": list(COUNTRIES)}
WORDS = ANIMALS + FOODS + COLOURS + THINGS  # what lists are made of

OPPOSITES = {
    "big": "small", "hot": "cold", "old": "new", "fast": "slow", "happy": "sad", "tall": "short", "light": "dark", "hard": "soft",
    "wet": "dry", "open": "closed", "full": "empty", "early": "late", "loud": "quiet", "strong": "weak", "rich": "poor", "clean": "dirty",
    "high": "low", "long": "brief", "thick": "thin", "sweet": "sour", "near": "far", "up": "down", "left": "right", "day": "night",
}  # fmt: skip
PAST = {"go": "went", "see": "saw", "take": "took", "give": "gave", "find": "found", "buy": "bought", "make": "made", "eat": "ate", "run": "ran", "sing": "sang", "swim": "swam", "write": "wrote", "bring": "brought", "think": "thought", "keep": "kept", "lose": "lost", "sell": "sold", "tell": "told", "come": "came", "know": "knew", "walk": "walked", "play": "played", "look": "looked", "help": "helped"}
PLURALS = {"mouse": "mice", "child": "children", "man": "men", "woman": "women", "foot": "feet", "tooth": "teeth", "goose": "geese", "leaf": "leaves", "wolf": "wolves", "knife": "knives", "box": "boxes", "fox": "foxes", "city": "cities", "apple": "apples", "book": "books", "coin": "coins", "pen": "pens", "shell": "shells", "stamp": "stamps", "card": "cards", "egg": "eggs", "cup": "cups", "marble": "marbles", "sticker": "stickers"}
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
NUMBER_WORDS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty".split()
LETTERS = "abcdefghijklmnopqrstuvwxyz"
COUNTABLES = "apples books coins pens shells stamps cards eggs cups marbles stickers pears".split()


@dataclass(frozen=True)
class Person:
    city: str
    job: str
    pet: str
    colour: str
    food: str
    friend: str


def _people() -> dict[str, Person]:
    rng = random.Random(WORLD_SEED)
    ring = rng.sample(PEOPLE, len(PEOPLE))  # everyone's best friend is the next in the ring: a bijection without fixed points
    friend = {name: ring[(i + 1) % len(ring)] for i, name in enumerate(ring)}
    pets, foods = ANIMALS[:16], FOODS[:16]
    return {name: Person(rng.choice(CITIES), rng.choice(JOBS), rng.choice(pets), rng.choice(COLOURS), rng.choice(foods), friend[name]) for name in PEOPLE}


PERSON = _people()
COUNTRY_OF = {city: country for country, city in COUNTRIES.items()}
KIND_OF = {word: kind for kind, words in KINDS.items() for word in words}


def he_or_she(name: str) -> str:
    return "she" if name in SHE else "he"


def his_or_her(name: str) -> str:
    return "her" if name in SHE else "his"


def with_article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
