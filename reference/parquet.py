"""Small parquet files that Arrow wrote, one a codec, and one of nested chat rows with the types that need care.

Writes src/data/fixtures/*.parquet.

    python reference/parquet.py
"""

import datetime
import decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FIXTURES = Path(__file__).parent.parent / "src" / "data" / "fixtures"

rows = pa.table({
    "question": [f"What is {i} + {i}?" for i in range(50)],
    "answer": [f"{i} + {i} = {2 * i}\n#### {2 * i}" for i in range(50)],
})
# (codec, further options): both versions of pages, several row groups, with and without dictionaries and an offset index.
CODECS = {
    "none": dict(use_dictionary=False),
    "snappy": dict(),
    "gzip": dict(row_group_size=20),
    "zstd": dict(data_page_version="2.0", row_group_size=20, write_page_index=True),
    "brotli": dict(),
    "lz4": dict(data_page_version="2.0"),
}

message = pa.struct([("role", pa.string()), ("content", pa.string())])
chat = pa.table({
    "messages": pa.array(
        [
            [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4 \U0001f642"}],
            [{"role": "user", "content": "3 + 3?"}, {"role": "assistant", "content": "6"}],
            [{"role": "user", "content": "4 + 4?"}, {"role": "assistant", "content": "8"}],
        ],
        pa.list_(message),
    ),
    "id": pa.array([1, 2**53 + 1, None], pa.int64()),
    "unsigned": pa.array([0, 2**64 - 1, 7], pa.uint64()),
    "score": pa.array([decimal.Decimal("1.25"), decimal.Decimal("-0.50"), None], pa.decimal128(9, 2)),
    "day": pa.array([datetime.date(2024, 2, 29), datetime.date(1969, 12, 31), None], pa.date32()),
    "at": pa.array([datetime.datetime(2024, 1, 2, 3, 4, 5, 678000), None, datetime.datetime(1970, 1, 1)], pa.timestamp("us")),
    "raw": pa.array([b"\x00\xff", b"", None], pa.binary()),
    "share": pa.array([float("nan"), 0.5, None], pa.float64()),
})

FIXTURES.mkdir(exist_ok=True)
for codec, options in CODECS.items():
    pq.write_table(rows, FIXTURES / f"{codec}.parquet", compression=codec, **options)
pq.write_table(chat, FIXTURES / "chat.parquet", compression="zstd")
