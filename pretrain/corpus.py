"""Writes the pretraining corpus and the data sets the page ships.

    python corpus.py            # build/corpus.jsonl, ../public/data/*.jsonl

What is held out is decided by a hash of the content, never by a list, so that the corpus and the suites cannot drift apart.
"""

import argparse
import json
import zlib
from pathlib import Path
from random import Random

from abilities import FACTS, SKILLS, Task
from stories import portrait, refrain, story
from word_problems import word_problem

HERE = Path(__file__).parent
BUILD, DATA = HERE / "build", HERE.parent / "public" / "data"

DOCUMENTS = 1_000_000
PORTRAITS, STORIES, REFRAINS = 0.07, 0.06, 0.05  # shares of plain text; the rest are questions and answers
OOD_PER_GROUP, OOD_STORIES = 30, 200
TRAIN_PROBLEMS, HELD_OUT_PROBLEMS = 2000, 200
SKILL_HOLD_OUT = 16  # one content in so many is never seen in pretraining

ABILITIES = FACTS | SKILLS


def content_hash(group: str, content: str) -> int:
    return zlib.crc32(f"{group}|{content}".encode())


def wordings(group: str, task: Task, held_out: bool) -> list[str]:
    """The wordings of a task that belong to pretraining, or to the held-out suite."""
    content = content_hash(group, task.content)
    if group in SKILLS:
        return task.wordings if (content % SKILL_HOLD_OUT == 0) == held_out else []
    kept_back = content % len(task.wordings)
    return [wording for i, wording in enumerate(task.wordings) if (i == kept_back) == held_out]


def is_held_out_story(text: str) -> bool:
    return content_hash("story", text) % SKILL_HOLD_OUT == 0


def draw_question(rng: Random, group: str, held_out: bool) -> tuple[str, str]:
    while True:
        task = ABILITIES[group][0](rng)
        if choices := wordings(group, task, held_out):
            return rng.choice(choices), task.answer


def draw_story(rng: Random, held_out: bool) -> str:
    while is_held_out_story(text := story(rng)) != held_out:
        pass
    return text


def write_jsonl(file: Path, rows: list[dict[str, str]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    print(f"{file.name}: {len(rows)} rows")


def write_corpus(rng: Random, count: int) -> None:
    """One JSON string a line: `question\\nanswer`, or plain text."""
    groups, weights = list(ABILITIES), [weight for _, weight in ABILITIES.values()]
    file = BUILD / "corpus.jsonl"
    file.parent.mkdir(exist_ok=True)
    with file.open("w") as out:
        for _ in range(count):
            kind = rng.random()
            if kind < PORTRAITS:
                text = portrait(rng)
            elif kind < PORTRAITS + STORIES:
                text = draw_story(rng, held_out=False)
            elif kind < PORTRAITS + STORIES + REFRAINS:
                text = refrain(rng)
            else:
                text = "\n".join(draw_question(rng, rng.choices(groups, weights)[0], held_out=False))
            out.write(json.dumps(text) + "\n")
    print(f"{file.name}: {count} documents")


def write_ood(rng: Random) -> None:
    """Groups take turns, so that any prefix of the suite is balanced."""
    asked: set[str] = set()
    rows = []
    for _ in range(OOD_PER_GROUP):
        for group in ABILITIES:
            question, answer = draw_question(rng, group, held_out=True)
            while question in asked:
                question, answer = draw_question(rng, group, held_out=True)
            asked.add(question)
            rows.append({"group": group, "question": question, "answer": answer})
    write_jsonl(DATA / "ood.jsonl", rows)
    write_jsonl(DATA / "ood-text.jsonl", [{"text": draw_story(rng, held_out=True)} for _ in range(OOD_STORIES)])


def write_word_problems(rng: Random) -> None:
    """No sum of the held-out problems, however told, is in the training problems."""
    train, held_out = [], []
    asked: set[str] = set()
    while len(train) < TRAIN_PROBLEMS or len(held_out) < HELD_OUT_PROBLEMS:
        computed, question, answer = word_problem(rng)
        rows, limit = (held_out, HELD_OUT_PROBLEMS) if content_hash("problem", computed) % 8 == 0 else (train, TRAIN_PROBLEMS)
        if len(rows) < limit and question not in asked:
            asked.add(question)
            rows.append({"question": question, "answer": answer})
    write_jsonl(DATA / "demo-train.jsonl", train)
    write_jsonl(DATA / "demo-heldout.jsonl", held_out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=DOCUMENTS)
    arguments = parser.parse_args()
    write_ood(Random(1))
    write_word_problems(Random(2))
    write_corpus(Random(3), arguments.documents)
