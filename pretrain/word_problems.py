"""The demo's in-domain task: two-digit sums and differences told as word problems, in GSM8K form.

The answer works the digits one column at a time, with carry or borrow, and ends in `#### n`. Nothing of this form is in
the pretraining corpus, which knows only sums of single digits: the base model starts near zero.
"""

from random import Random

from world import COUNTABLES, PEOPLE, he_or_she

GAIN = [
    "{name} has {a} {items}. {He} buys {b} more. How many {items} does {name} have now?",
    "{name} had {a} {items} and found {b} more. How many {items} are there in all?",
    "{name} has {a} {items} and {other} has {b}. How many {items} do they have together?",
    "There are {a} {items} in the box. {name} puts in {b} more. How many {items} are in the box?",
    "{name} sold {a} {items} on Monday and {b} on Friday. How many {items} did {he} sell?",
]
LOSS = [
    "{name} has {a} {items}. {He} gives {b} to {other}. How many {items} are left?",
    "{name} had {a} {items} and lost {b}. How many {items} does {he} have now?",
    "There are {a} {items} in the box. {name} takes {b} out. How many {items} are in the box?",
    "{name} has {a} {items} and {other} has {b}. How many more {items} does {name} have?",
    "{name} had {a} {items} and sold {b} on Monday. How many {items} are left?",
]


def sum_steps(a: int, b: int) -> str:
    ones, carry = a % 10 + b % 10, (a % 10 + b % 10) // 10
    tens = a // 10 + b // 10 + carry
    return f"{a}+{b}: ones {a % 10}+{b % 10}={ones}, tens {a // 10}+{b // 10}{'+1' * carry}={tens}.\n#### {a + b}"


def difference_steps(a: int, b: int) -> str:
    borrow = int(a % 10 < b % 10)
    ones, tens = a % 10 + 10 * borrow - b % 10, a // 10 - borrow - b // 10
    return f"{a}-{b}: ones {a % 10 + 10 * borrow}-{b % 10}={ones}, tens {a // 10}{'-1' * borrow}-{b // 10}={tens}.\n#### {a - b}"


def word_problem(rng: Random) -> tuple[str, str, str]:
    """One problem: what is computed (`47+35`), the question, the answer."""
    name, other = rng.sample(PEOPLE, 2)
    he = he_or_she(name)
    words = {"name": name, "other": other, "he": he, "He": he.capitalize(), "items": rng.choice(COUNTABLES)}
    a, b = rng.randint(10, 99), rng.randint(10, 99)
    if rng.random() < 0.5:
        while a + b > 99:
            a, b = rng.randint(10, 89), rng.randint(10, 89)
        return f"{a}+{b}", rng.choice(GAIN).format(a=a, b=b, **words), sum_steps(a, b)
    while a - b < 10:
        a, b = rng.randint(10, 99), rng.randint(10, 99)
    return f"{a}-{b}", rng.choice(LOSS).format(a=a, b=b, **words), difference_steps(a, b)
