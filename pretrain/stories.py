"""Plain text for pretraining: short stories, portraits that state the facts the questions ask for, and recurring lists."""

from random import Random

from world import ANIMALS, COLOURS, COUNTABLES, COUNTRY_OF, FOODS, PEOPLE, PERSON, PLACES, THINGS, WORDS, he_or_she, his_or_her, with_article


def portrait(rng: Random) -> str:
    """Three to five facts about one person, in any order."""
    name = rng.choice(PEOPLE)
    person, he = PERSON[name], he_or_she(name)
    his = his_or_her(name)
    facts = [
        rng.choice((f"lives in {person.city}, in {COUNTRY_OF[person.city]}", f"has a home in {person.city}")),
        rng.choice((f"works as {with_article(person.job)}", f"is {with_article(person.job)}")),
        rng.choice((f"has {with_article(person.pet)} as a pet", f"has a {person.colour} hat and {with_article(person.pet)}")),
        rng.choice((f"likes the colour {person.colour}", f"likes {person.colour} best")),
        rng.choice((f"likes to eat {person.food}", f"eats {person.food} every day")),
        rng.choice((f"is the best friend of {person.friend}", f"often walks with {his} friend {person.friend}")),
    ]
    chosen = rng.sample(facts, rng.randint(3, 5))
    return " ".join(f"{name if i == 0 else he.capitalize()} {fact}." for i, fact in enumerate(chosen))


def story(rng: Random) -> str:
    """A day out: somebody goes somewhere, something happens, somebody helps, all go home."""
    name = rng.choice(PEOPLE)
    other = PERSON[name].friend
    he, his = he_or_she(name), his_or_her(name)
    He = he.capitalize()
    place, thing, colour = rng.choice(PLACES), rng.choice(THINGS), rng.choice(COLOURS)
    animal, food, many = rng.choice(ANIMALS), rng.choice(FOODS), rng.choice(COUNTABLES)
    when = rng.choice(("One sunny morning", "One cold evening", "On Monday", "On Saturday", "One day", "Late in the day", "After school", "On a wet afternoon"))
    opening = rng.choice((
        f"{when}, {name} went to the {place}.",
        f"{when}, {name} walked to the {place} with {his} {thing}.",
        f"{when}, {name} and {other} met in the {place}.",
        f"{name} was at the {place}. It was a quiet day.",
    ))  # fmt: skip
    event = rng.choice((
        f"There {he} saw a {colour} {animal}. It looked sad.",
        f"{He} lost {his} {colour} {thing} and could not find it.",
        f"{He} found a {colour} {thing} near the old tree.",
        f"{He} had some {many} and gave a few {many} to {other}.",
        f"{He} wanted to buy some {food}, but the shop was closed.",
        f"Then a big {animal} ran away with {his} {thing}.",
        f"{He} sold a few {many} and had some {many} left.",
        f"{He} picked some {many} and put them in {with_article(colour)} bag.",
    ))  # fmt: skip
    turn = rng.choice((
        f'"Can you help me?" {he} said to {other}.',
        f'{other} said, "Do not be sad. I will help you."',
        f"So {he} gave the {animal} some {food}.",
        f"{He} thought about it for a long time.",
        f"{other} came and brought some {food} and a {thing}.",
        f"They looked for it in the {rng.choice(PLACES)} and in the {rng.choice(PLACES)}.",
        f"How many {many} were left? Nobody knew.",
    ))  # fmt: skip
    ending = rng.choice((
        "In the end they were happy and went home.",
        f"At last {name} was happy again.",
        f"Then {he} went home and told {his} mother about it.",
        f"They ate the {food} together and sang a song.",
        f"From that day {name} and the {animal} were friends.",
        "It was dark when they came home.",
    ))  # fmt: skip
    return " ".join((opening, event, turn, ending))


def refrain(rng: Random) -> str:
    """A list said over and over. Little else teaches a small model so soon to find what came after the last time."""
    items = rng.sample(WORDS, rng.randint(4, 12))
    return " ".join(items * max(2, 30 // len(items)))
