#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Imports the in-vehicle coupon survey (UCI repository, id 603) as a dataset.

usage: import.py SURVEY.csv OUT_FOLDER [SPLITS]

Writes OUT_FOLDER/impressions.parquet and OUT_FOLDER/dataset.textproto; with
SPLITS also dataset-1.textproto to dataset-SPLITS.textproto, which divide the
profiles otherwise each, to see how much a result owes to one division. The
survey asks real people whether they would take a coupon in a situation. It has
no ids: whoever gives the same answers about themselves is one `profile`. Codes
are written out, because a language model reads the texts.

Needs pyarrow: PYTHONPATH=.deps/arrow after `./larr setup`.
"""
import csv
import pathlib
import re
import sys

try:
    import pyarrow
    import pyarrow.parquet
except ImportError:
    sys.exit("import.py: pyarrow is missing; run ./larr setup, then set "
             "PYTHONPATH to the folder .deps/arrow")

PERSON = ["gender", "age", "maritalStatus", "has_children", "education",
          "occupation", "income", "Bar", "CoffeeHouse", "CarryAway",
          "RestaurantLessThan20", "Restaurant20To50"]
SCENE = ["destination", "passanger", "weather", "temperature", "time", "coupon",
         "expiration", "toCoupon_GEQ5min", "toCoupon_GEQ15min",
         "toCoupon_GEQ25min", "direction_same", "Y"]
VISITS = ["Bar", "CoffeeHouse", "CarryAway", "RestaurantLessThan20",
          "Restaurant20To50"]

WORDS = {
    "age": {"below21": "younger than 21", "50plus": "50 or older"},
    "has_children": {"0": "no children", "1": "has children"},
    "destination": {"No Urgent Place": "nowhere urgent", "Home": "home",
                    "Work": "work"},
    "passanger": {"Alone": "alone", "Friend(s)": "with friends",
                  "Kid(s)": "with kids", "Partner": "with the partner"},
    "coupon": {"Restaurant(<20)": "restaurant under $20",
               "Restaurant(20-50)": "restaurant for $20 to $50",
               "Carry out & Take away": "take-away",
               "Coffee House": "coffee house", "Bar": "bar"},
    "expiration": {"1d": "one day", "2h": "two hours"},
    **{column: {"never": "never", "less1": "less than once a month",
                "1~3": "1 to 3 times a month", "4~8": "4 to 8 times a month",
                "gt8": "more than 8 times a month"} for column in VISITS},
}


def fail(message):
    sys.exit(f"import.py: {message}")


def word(row, column):
    """The value in words; None where the survey has none."""
    value = row[column].strip()
    return WORDS.get(column, {}).get(value, value) or None


def number(row, column, line):
    try:
        return int(row[column])
    except ValueError:
        fail(f"line {line}: column {column} is `{row[column]}`, not a number")


def convert(row, line, profiles):
    person = tuple(row[column] for column in PERSON)
    minutes = max([0] + [m for m in (5, 15, 25)
                         if number(row, f"toCoupon_GEQ{m}min", line)])
    out = {
        "profile": profiles.setdefault(person, f"profile{len(profiles):04d}"),
        "offer": f"{word(row, 'coupon')}, {word(row, 'expiration')}",
        **{column: word(row, column) for column in PERSON},
        **{column: word(row, column)
           for column in ("destination", "passanger", "weather", "time",
                          "coupon", "expiration")},
        "temperature": number(row, "temperature", line),
        "minutes": minutes,
        "direction": "same" if number(row, "direction_same", line) else
                     "opposite",
        "taken": number(row, "Y", line),
    }
    return out


def write_specs(target, splits):
    spec = (pathlib.Path(__file__).parent / "dataset.textproto").read_text()
    (target / "dataset.textproto").write_text(spec)
    for seed in range(1, splits + 1):
        own, count = re.subn(r"(split \{ hash \{.*\bseed: )\d+",
                             rf"\g<1>{seed}", spec)
        assert count == 1, "dataset.textproto has no seed of its split"
        (target / f"dataset-{seed}.textproto").write_text(own)


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    source, target = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    splits = sys.argv[3] if len(sys.argv) == 4 else "0"
    if not splits.isdigit():
        fail(f"SPLITS is `{splits}`, not a number")
    if not source.is_file():
        fail(f"{source}: no such file; download the survey from the UCI "
             "repository")
    with source.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = set(PERSON + SCENE) - set(reader.fieldnames or [])
        if missing:
            fail(f"{source}: lacks the columns {', '.join(sorted(missing))}")
        profiles = {}
        rows = [convert(row, line, profiles)
                for line, row in enumerate(reader, start=2)]
    if not rows:
        fail(f"{source}: has no rows")
    target.mkdir(parents=True, exist_ok=True)
    schema = pyarrow.schema([
        (name, pyarrow.int64() if isinstance(value, int) else pyarrow.string())
        for name, value in rows[0].items()])
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema),
                                target / "impressions.parquet")
    write_specs(target, int(splits))
    print(f"{len(rows)} rows of {len(profiles)} profiles in {target}")


if __name__ == "__main__":
    main()
