"""Every question-and-answer ability the model is pretrained on, one function each.

A function draws one task and phrases it in every wording it knows. What is held out for the out-of-domain suite depends
on the kind: a *skill* holds out contents (word lists, number pairs) in all wordings; a *fact* cannot hold out its content,
so each fact holds out one of its wordings. `corpus.py` decides which, by hashing `content`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from world import (
    ANIMALS, COLOURS, COUNTABLES, COUNTRIES, COUNTRY_OF, DAYS, FOODS, KIND_OF, LEGS, LETTERS, MONTHS, NUMBER_WORDS, OPPOSITES, PAST, PEOPLE, PERSON,
    PLACES, PLURALS, SOUNDS, THINGS, WORDS, YOUNG, he_or_she, with_article,
)  # fmt: skip


@dataclass(frozen=True)
class Task:
    content: str
    wordings: list[str]
    answer: str


def words_of(rng: Random, low: int, high: int) -> list[str]:
    return rng.sample(WORDS, rng.randint(low, high))


def numbers_of(rng: Random, low: int, high: int) -> list[int]:
    return rng.sample(range(10, 100), rng.randint(low, high))


# --- facts -----------------------------------------------------------------------------------------------------------


def person_fact(rng: Random) -> Task:
    name = rng.choice(PEOPLE)
    person = PERSON[name]
    attribute = rng.choice(("city", "job", "pet", "colour", "food", "friend"))
    wordings = {
        "city": [f"Where does {name} live?", f"Which city is the home of {name}?", f"{name} lives in which city?", f"Name the city of {name}."],
        "job": [f"What is the job of {name}?", f"What does {name} do for work?", f"{name} works as what?", f"Name the job of {name}."],
        "pet": [f"What pet does {name} have?", f"Which animal is the pet of {name}?", f"{name} has which pet?", f"Name the pet of {name}."],
        "colour": [f"What colour does {name} like?", f"Which colour is the favourite of {name}?", f"{name} likes which colour?", f"Name the colour of {name}."],
        "food": [f"What food does {name} like?", f"Which food is the favourite of {name}?", f"{name} likes to eat what?", f"Name the food of {name}."],
        "friend": [f"Who is the best friend of {name}?", f"Which person is the friend of {name}?", f"{name} is a friend of whom?", f"Name the friend of {name}."],
    }[attribute]
    return Task(f"{name} {attribute}", wordings, getattr(person, attribute))


def friend_fact(rng: Random) -> Task:
    """Two hops: a person's best friend, then something about the friend."""
    name = rng.choice(PEOPLE)
    attribute = rng.choice(("city", "job", "pet"))
    wordings = {
        "city": [f"Where does the best friend of {name} live?", f"The friend of {name} lives in which city?", f"Name the city of the friend of {name}."],
        "job": [f"What is the job of the best friend of {name}?", f"The friend of {name} works as what?", f"Name the job of the friend of {name}."],
        "pet": [f"What pet does the best friend of {name} have?", f"The friend of {name} has which pet?", f"Name the pet of the friend of {name}."],
    }[attribute]
    return Task(f"{name} {attribute}", wordings, getattr(PERSON[PERSON[name].friend], attribute))


def home_country(rng: Random) -> Task:
    """Two hops: a person's city, then its country."""
    name = rng.choice(PEOPLE)
    wordings = [f"In which country does {name} live?", f"{name} lives in which country?", f"Name the country of {name}."]
    return Task(name, wordings, COUNTRY_OF[PERSON[name].city])


def capital(rng: Random) -> Task:
    country = rng.choice(list(COUNTRIES))
    city = COUNTRIES[country]
    if rng.random() < 0.5:
        return Task(country, [f"What is the capital of {country}?", f"Which city is the capital of {country}?", f"Name the capital of {country}.", f"{country} has which capital?"], city)
    return Task(city, [f"{city} is the capital of which country?", f"Which country has the capital {city}?", f"Name the country of {city}.", f"In which country is {city}?"], country)


def animal_fact(rng: Random) -> Task:
    table, subject = rng.choice(((SOUNDS, "sound"), (YOUNG, "young"), (LEGS, "legs")))
    animal = rng.choice(list(table))
    one = with_article(animal)
    wordings = {
        "sound": [f"What sound does {one} make?", f"Which sound comes from {one}?", f"Name the sound of {one}."],
        "young": [f"What is a young {animal} called?", f"What do we call the young of {one}?", f"Name the young of {one}."],
        "legs": [f"How many legs does {one} have?", f"{one.capitalize()} walks on how many legs?", f"Count the legs of {one}."],
    }[subject]
    return Task(f"{animal} {subject}", wordings, table[animal])


def opposite(rng: Random) -> Task:
    pair = rng.choice(list(OPPOSITES.items()))
    word, answer = pair if rng.random() < 0.5 else pair[::-1]
    return Task(word, [f"What is the opposite of {word}?", f"Name the opposite of {word}.", f"Which word is the opposite of {word}?", f"Not {word} but what?"], answer)


def kind_of(rng: Random) -> Task:
    word = rng.choice(list(KIND_OF))
    return Task(word, [f"What kind of word is {word}?", f"Name the kind of {word}.", f"Of which kind is {word}?", f"To which group does {word} belong?"], KIND_OF[word])


def grammar(rng: Random) -> Task:
    if rng.random() < 0.5:
        word = rng.choice(list(PAST))
        return Task(f"past {word}", [f"What is the past of {word}?", f"Put {word} in the past.", f"Today I {word}. Yesterday I what?"], PAST[word])
    word = rng.choice(list(PLURALS))
    return Task(f"plural {word}", [f"What is the plural of {word}?", f"Put {word} in the plural.", f"One {word}, two what?"], PLURALS[word])


def neighbour(rng: Random) -> Task:
    """What comes before or after, in the days, months, letters and number words."""
    cycle = rng.choice((DAYS, MONTHS, LETTERS, NUMBER_WORDS))
    place, forward = rng.randrange(1, len(cycle) - 1), rng.random() < 0.5
    item, answer = cycle[place], cycle[place + 1 if forward else place - 1]
    side = "after" if forward else "before"
    return Task(f"{side} {item}", [f"What comes {side} {item}?", f"Which one is just {side} {item}?", f"Name the one {side} {item}."], answer)


def number_name(rng: Random) -> Task:
    value = rng.randrange(len(NUMBER_WORDS))
    word = NUMBER_WORDS[value]
    if rng.random() < 0.5:
        return Task(word, [f"Write {word} as a number.", f"Which number is {word}?", f"Give {word} in digits."], str(value))
    return Task(str(value), [f"Write {value} as a word.", f"Which word is {value}?", f"Give {value} in letters."], word)


def spelling(rng: Random) -> Task:
    word = rng.choice(WORDS)
    letters = " ".join(word)
    if rng.random() < 0.6:
        return Task(word, [f"Spell {word}.", f"Spell the word {word}.", f"How do you spell {word}?", f"Write the letters of {word}."], letters)
    return Task(letters, [f"Join the letters {letters}.", f"Which word is {letters}?", f"What do the letters {letters} spell?"], word)


def sums(rng: Random) -> Task:
    """Sums and differences of single digits, the carry and borrow forms included."""
    a, b, carry = rng.randrange(10), rng.randrange(10), rng.random() < 0.4
    if rng.random() < 0.5:
        sum_, result = (f"{a}+{b}+1", a + b + 1) if carry else (f"{a}+{b}", a + b)
    else:
        sum_, result = (f"{a + b + 1}-1-{b}", a) if carry else (f"{a + b}-{b}", a)
    return Task(sum_, [f"What is {sum_}?", f"{sum_}=", f"Work out {sum_}.", f"Find {sum_}."], str(result))


# --- skills ----------------------------------------------------------------------------------------------------------


def copying(rng: Random) -> Task:
    text = " ".join(words_of(rng, 2, 8))
    return Task(text, [f"Copy: {text}", f"Repeat after me: {text}", f"Say this again: {text}"], text)


def reversing(rng: Random) -> Task:
    items = words_of(rng, 2, 5) if rng.random() < 0.7 else rng.sample(LETTERS, rng.randint(3, 5))
    text = " ".join(items)
    return Task(text, [f"Reverse: {text}", f"Say this backwards: {text}", f"Turn around: {text}"], " ".join(reversed(items)))


def sorting(rng: Random) -> Task:
    if rng.random() < 0.5:
        items = rng.sample(LETTERS, rng.randint(3, 5))
        text = " ".join(items)
        return Task(text, [f"Sort the letters: {text}", f"Put in order: {text}", f"Sort: {text}"], " ".join(sorted(items)))
    values = rng.sample(range(10), rng.randint(3, 5))
    text = " ".join(map(str, values))
    return Task(text, [f"Sort the numbers: {text}", f"Put in order: {text}", f"Sort: {text}"], " ".join(map(str, sorted(values))))


def comparing(rng: Random) -> Task:
    a, b = numbers_of(rng, 2, 2)
    if rng.random() < 0.5:
        return Task(f"{a} {b} larger", [f"Which is larger, {a} or {b}?", f"Name the larger of {a} and {b}.", f"{a} or {b}: which is more?"], str(max(a, b)))
    return Task(f"{a} {b} smaller", [f"Which is smaller, {a} or {b}?", f"Name the smaller of {a} and {b}.", f"{a} or {b}: which is less?"], str(min(a, b)))


def counting(rng: Random) -> Task:
    target, *others = rng.sample(WORDS, 3)
    items = [target if rng.random() < 0.5 else rng.choice(others) for _ in range(rng.randint(3, 5))]
    text = " ".join(items)
    return Task(f"{target} {text}", [f"How many times does {target} appear: {text}", f"Count {target}: {text}", f"How often do you see {target} in: {text}"], str(items.count(target)))


def list_length(rng: Random) -> Task:
    text = " ".join(items := words_of(rng, 1, 7))
    return Task(text, [f"How many words are here: {text}", f"Count the words: {text}", f"How long is this list: {text}"], str(len(items)))


def word_pattern(rng: Random) -> Task:
    period = rng.randint(2, 3)
    unit = rng.sample(WORDS, period)
    length = rng.randint(2 * period - 1, 3 * period)
    text = " ".join(unit[i % period] for i in range(length))
    return Task(text, [f"What comes next: {text}", f"Continue: {text}", f"Go on with the pattern: {text}"], unit[length % period])


def number_pattern(rng: Random) -> Task:
    step, shown = rng.choice((-3, -2, -1, 1, 2, 3, 5, 10)), rng.randint(3, 4)
    start = rng.randint(1, 60) - min(0, step * shown)
    terms = [start + step * i for i in range(shown + 1)]
    text = " ".join(map(str, terms[:-1]))
    return Task(text, [f"What comes next: {text}", f"Continue: {text}", f"Go on with the pattern: {text}"], str(terms[-1]))


def word_place(rng: Random) -> Task:
    items = words_of(rng, 3, 5)
    text = " ".join(items)
    name, index = rng.choice((("first", 0), ("second", 1), ("third", 2), ("last", -1)))
    return Task(f"{name} {text}", [f"What is the {name} word of: {text}", f"Name the {name} word: {text}", f"Give the {name} one: {text}"], items[index])


def digit_place(rng: Random) -> Task:
    value = str(rng.randint(10, 999))
    name, index = rng.choice((("first", 0), ("last", -1), ("tens", -2), ("ones", -1)))
    return Task(f"{name} {value}", [f"What is the {name} digit of {value}?", f"Name the {name} digit of {value}.", f"{value}: give the {name} digit."], value[index])


def even_or_odd(rng: Random) -> Task:
    value = rng.randint(10, 999)
    return Task(str(value), [f"Is {value} even or odd?", f"Even or odd: {value}", f"{value} is even or odd?"], "odd" if value % 2 else "even")


def odd_one_out(rng: Random) -> Task:
    most, other = rng.sample((ANIMALS, FOODS, COLOURS, THINGS, PLACES), 2)
    stranger = rng.choice(other)
    items = [*rng.sample(most, rng.randint(3, 4)), stranger]
    rng.shuffle(items)
    text = " ".join(items)
    return Task(text, [f"Which word does not belong: {text}", f"Find the odd one out: {text}", f"One of these is different: {text}"], stranger)


def choosing(rng: Random) -> Task:
    """Keep only the words of one kind, in their order."""
    kind, wanted = rng.choice((("animals", ANIMALS), ("foods", FOODS), ("colours", COLOURS)))
    others = [word for word in WORDS if word not in wanted]
    items = [*rng.sample(wanted, rng.randint(1, 3)), *rng.sample(others, rng.randint(1, 2))]
    rng.shuffle(items)
    text = " ".join(items)
    return Task(f"{kind} {text}", [f"Keep only the {kind}: {text}", f"Which of these are {kind}: {text}", f"Find the {kind} in: {text}"], " ".join(word for word in items if word in wanted))


def membership(rng: Random) -> Task:
    items = words_of(rng, 3, 6)
    word = rng.choice(items) if rng.random() < 0.5 else rng.choice([w for w in WORDS if w not in items])
    text = " ".join(items)
    return Task(f"{word} {text}", [f"Is {word} in this list: {text}", f"Do you see {word} here: {text}", f"Does {word} appear in: {text}"], "yes" if word in items else "no")


def replacing(rng: Random) -> Task:
    items = words_of(rng, 3, 5)
    old, new = rng.choice(items), rng.choice([w for w in WORDS if w not in items])
    text = " ".join(items)
    return Task(f"{old} {new} {text}", [f"Replace {old} with {new}: {text}", f"Put {new} in place of {old}: {text}", f"Change {old} to {new}: {text}"], " ".join(new if word == old else word for word in items))


def lookup(rng: Random) -> Task:
    """Recall within the prompt: which value was given to which word."""
    keys, values = words_of(rng, 2, 4), rng.sample(range(10), 4)
    pairs = list(zip(keys, values))
    key, value = rng.choice(pairs)
    text = ", ".join(f"{k} {v}" for k, v in pairs)
    return Task(f"{key} {text}", [f"{text}. What is {key}?", f"{text}. Which number is with {key}?", f"{text}. Look up {key}."], str(value))


def formatting(rng: Random) -> Task:
    """Do as told with the form of the answer."""
    first, second = words = rng.sample(WORDS, 2)
    text = " ".join(words)
    instructions = {
        "brackets": ([f"Write {first} in brackets.", f"Put brackets around {first}.", f"In brackets: {first}"], f"({first})"),
        "quotes": ([f"Write {first} in quotes.", f"Put quotes around {first}.", f"In quotes: {first}"], f'"{first}"'),
        "comma": ([f"Join {first} and {second} with a comma.", f"With a comma: {text}", f"Put a comma between {first} and {second}."], f"{first}, {second}"),
        "dash": ([f"Join {first} and {second} with a dash.", f"With a dash: {text}", f"Put a dash between {first} and {second}."], f"{first}-{second}"),
        "twice": ([f"Write {first} twice.", f"Say {first} two times.", f"Two times: {first}"], f"{first} {first}"),
        "thrice": ([f"Write {first} three times.", f"Say {first} three times.", f"Three times: {first}"], f"{first} {first} {first}"),
        "stop": ([f"Write {text} and end with a stop.", f"With a stop at the end: {text}", f"Put a stop after {text}"], f"{text}."),
        "heading": ([f"Make {first} a heading.", f"Write a heading that says {first}.", f"Heading: {first}"], f"#### {first}"),
        "both": ([f"Write {first} in brackets, then {second}.", f"Brackets around {first}, not around {second}.", f"First {first} in brackets and then {second}."], f"({first}) {second}"),
    }
    form = rng.choice(list(instructions))
    wordings, answer = instructions[form]
    return Task(f"{form} {answer}", wordings, answer)


def reading(rng: Random) -> Task:
    """A story of two sentences or three, and a question about it."""
    names, things, places, colours = rng.sample(PEOPLE, 3), rng.sample(THINGS, 3), rng.sample(PLACES, 3), rng.sample(COLOURS, 3)
    told = rng.randint(2, 3)
    i = rng.randrange(told)
    form = rng.randrange(3)
    if form == 0:
        story = " ".join(f"{names[j]} has a {colours[j]} {things[j]}." for j in range(told))
        question, answer = rng.choice(((f"Who has the {things[i]}?", names[i]), (f"What does {names[i]} have?", things[i]), (f"What colour is the {things[i]}?", colours[i])))
    elif form == 1:
        story = " ".join(f"{names[j]} went to the {places[j]}." for j in range(told))
        question, answer = rng.choice(((f"Who went to the {places[i]}?", names[i]), (f"Where is {names[i]}?", places[i])))
    else:
        story = f"{names[0]} found a {things[0]} in the {places[0]}. Then {he_or_she(names[0])} gave it to {names[1]}."
        question, answer = rng.choice(((f"Who has the {things[0]} now?", names[1]), ("Where was it found?", places[0]), (f"What did {names[0]} find?", things[0])))
    return Task(f"{story} {question}", [f"{story} {question}", f"Read and answer. {story} {question}", f"{question} {story}"], answer)


def reading_numbers(rng: Random) -> Task:
    """Who has how many: numbers to be found and copied, never added."""
    names, amounts, items = rng.sample(PEOPLE, 2), numbers_of(rng, 2, 2), rng.choice(COUNTABLES)
    i = rng.randrange(2)
    story = f"{names[0]} has {amounts[0]} {items} and {names[1]} has {amounts[1]}."
    question = f"How many does {names[i]} have?"
    return Task(f"{story} {i}", [f"{story} {question}", f"Read and answer. {story} {question}", f"{question} {story}"], str(amounts[i]))


Ability = Callable[[Random], Task]

# Name of the group in the out-of-domain suite -> ability and its weight in the pretraining mix.
FACTS: dict[str, tuple[Ability, float]] = {
    "person facts": (person_fact, 2.5),
    "friend facts": (friend_fact, 2.0),
    "home country": (home_country, 1.2),
    "capitals": (capital, 1.1),
    "animals": (animal_fact, 0.7),
    "opposites": (opposite, 0.6),
    "kinds of words": (kind_of, 0.9),
    "grammar": (grammar, 1.1),
    "before and after": (neighbour, 0.8),
    "number names": (number_name, 0.6),
    "spelling": (spelling, 1.6),
    "small sums": (sums, 2.0),
}
SKILLS: dict[str, tuple[Ability, float]] = {
    "copying": (copying, 1.5),
    "reversing": (reversing, 1.6),
    "sorting": (sorting, 1.2),
    "comparing": (comparing, 1.2),
    "counting": (counting, 1.5),
    "list length": (list_length, 0.8),
    "word patterns": (word_pattern, 1.0),
    "number patterns": (number_pattern, 1.5),
    "place in a list": (word_place, 1.2),
    "digits": (digit_place, 0.9),
    "even or odd": (even_or_odd, 0.5),
    "odd one out": (odd_one_out, 1.2),
    "choosing": (choosing, 1.0),
    "membership": (membership, 1.0),
    "replacing": (replacing, 1.6),
    "lookup": (lookup, 1.3),
    "formatting": (formatting, 1.2),
    "reading": (reading, 1.8),
    "reading numbers": (reading_numbers, 1.0),
}
