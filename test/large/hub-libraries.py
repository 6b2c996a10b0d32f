"""Loads a tokenizer, a configuration, a dataset and a part of a file, as their users do. Prints one line of JSON."""

import json

from datasets import load_dataset
from huggingface_hub import HfFileSystem
from transformers import AutoConfig, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("org/tiny")
config = AutoConfig.from_pretrained("org/tiny")
rows = load_dataset("org/rows", split="train")
files = HfFileSystem()
with files.open("datasets/org/rows/data/train.jsonl", "rb") as file:
    file.seek(10)
    part = file.read(20).decode()
print(
    json.dumps(
        {
            "tokens": tokenizer.tokenize("hello world"),
            "layers": config.num_hidden_layers,
            "rows": len(rows),
            "last": rows[-1]["text"],
            "listed": sorted(path.split("/")[-1] for path in files.find("datasets/org/rows")),
            "part": part,
        }
    )
)
