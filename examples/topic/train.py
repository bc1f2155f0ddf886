#!/usr/bin/env python3
"""Trains the topic example and writes its files beside itself.

A transformer encoder (Vaswani et al., "Attention Is All You Need", NIPS 2017) tells from one line about
a program whether it is about games, graphics, science or sound.

Words become vectors at the client, in the clear, by a public table. What is private begins there:
model.onnx takes the vectors, whole.onnx takes the numbers of the words and has the table inside.

Run it with Debian's python3, python3-torch, python3-onnx and python3-sklearn after apt-get update.
"""

import collections
import json
import pathlib
import re
import subprocess

import numpy as np
import onnx
import torch
from sklearn.model_selection import train_test_split
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
SEED = 1
SECTIONS = ["games", "graphics", "science", "sound"]
HELD_OUT, SHIPPED = 600, 200
WORDS, LENGTH, WIDTH, HEADS = 1500, 16, 16, 2
EPOCHS = 25


def data():
    """Returns lines and labels: one line for each source package, as many share their words."""
    text = subprocess.run(["apt-cache", "dumpavail"], check=True, capture_output=True, text=True).stdout
    first = {}
    for package in text.split("\n\n"):
        field = dict(re.findall(r"^([A-Z][A-Za-z-]*): (.*)$", package, re.M))
        section, line = field.get("Section"), field.get("Description-en", field.get("Description"))
        if section in SECTIONS and line:
            source = field.get("Source", field["Package"]).split()[0]
            found = field["Package"], line, SECTIONS.index(section)
            first[source] = min(first.get(source, found), found)
    topics = dict(sorted((line, topic) for _, line, topic in first.values()))  # no line twice
    return list(topics), np.array(list(topics.values()))


def words(line):
    return re.findall(r"[a-z0-9+]+", line.lower())


def vocabulary(lines):
    """Returns the most frequent words; 0 fills a line up, 1 is any other word."""
    count = collections.Counter(w for line in lines for w in words(line))
    ranked = sorted(count, key=lambda w: (-count[w], w))
    return ["", "?"] + ranked[:WORDS - 2]


def numbers(lines, vocabulary):
    place = {w: i for i, w in enumerate(vocabulary)}
    x = np.zeros((len(lines), LENGTH), np.int64)
    for row, line in zip(x, lines):
        known = [place.get(w, 1) for w in words(line)][:LENGTH]
        row[:len(known)] = known
    return x


class Embedding(nn.Module):
    """The client's part: a vector for each word, plus one for each place."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(WORDS, WIDTH)
        self.places = nn.Parameter(0.1 * torch.randn(LENGTH, WIDTH))

    def forward(self, x):
        return self.table(x) + self.places


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def forward(self, x):
        def split(t):
            return t.view(-1, LENGTH, HEADS, WIDTH // HEADS).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        weights = torch.softmax(q @ k.transpose(2, 3) * (WIDTH // HEADS) ** -0.5, dim=-1)
        return self.out((weights @ v).transpose(1, 2).reshape(-1, LENGTH, WIDTH))


class Encoder(nn.Module):
    """The private part: one layer of the encoder, the mean over all places, and a linear classifier."""

    def __init__(self):
        super().__init__()
        self.attention, self.norm1, self.norm2 = Attention(), nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.forward_part = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))
        self.drop = nn.Dropout(0.2)
        self.classify = nn.Linear(WIDTH, len(SECTIONS))

    def forward(self, x):
        x = self.norm1(x + self.drop(self.attention(x)))
        x = self.norm2(x + self.drop(self.forward_part(x)))
        return self.classify(self.drop(x.mean(dim=1)))


def train(net, x, y):
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)
    net.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(32):
            lost = (torch.rand(len(rows), LENGTH) < 0.15) & (x[rows] > 0)
            optimizer.zero_grad()
            loss(net(x[rows].masked_fill(lost, 1)), y[rows]).backward()
            optimizer.step()
        schedule.step()
    net.eval()


def infer(net, x):
    with torch.no_grad():
        return net(torch.from_numpy(x)).numpy()


def accuracy(net, x, y):
    return (infer(net, x).argmax(axis=1) == y).mean()


def export(net, x, name, start):
    torch.onnx.export(
        net, torch.from_numpy(x[:1]), HERE / name,
        opset_version=17, input_names=[start], output_names=["logits"],
        dynamic_axes={start: {0: "batch"}, "logits": {0: "batch"}},
    )


def rename(file, old, new):
    """Renames a tensor of a graph: PyTorch calls it after its place."""
    model = onnx.load(file)
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]
    onnx.save(model, file)


def main():
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # so that sums run in the same order everywhere
    lines, y = data()
    lines, held_lines, y, held_y = train_test_split(lines, y, test_size=HELD_OUT, random_state=SEED, stratify=y)
    known = vocabulary(lines)
    x, held_x = numbers(lines, known), numbers(held_lines, known)

    embedding, encoder = Embedding(), Encoder()
    net = nn.Sequential(embedding, encoder)
    train(net, x, y)
    shipped_x, shipped_y = held_x[:SHIPPED], held_y[:SHIPPED]
    vectors = infer(embedding, shipped_x)
    print(
        f"accuracy: training {accuracy(net, x, y):.4f} of {len(x)}, held out {accuracy(net, held_x, held_y):.4f}, "
        f"the {SHIPPED} shipped rows {accuracy(net, shipped_x, shipped_y):.4f}, "
        f"most frequent {np.bincount(held_y).max() / len(held_y):.4f}, "
        f"{sum(p.numel() for p in encoder.parameters())} private parameters, vectors up to {np.abs(vectors).max():.2f}"
    )

    export(encoder, vectors, "model.onnx", "vectors")
    export(net, shipped_x, "whole.onnx", "words")
    rename(HERE / "whole.onnx", "/0/Add_output_0", "vectors")
    np.save(HERE / "table.npy", embedding.table.weight.detach().numpy())
    np.save(HERE / "places.npy", embedding.places.detach().numpy())
    np.save(HERE / "words.npy", shipped_x)
    np.save(HERE / "inputs.npy", vectors)
    np.save(HERE / "outputs.npy", infer(net, shipped_x))
    np.save(HERE / "labels.npy", shipped_y)
    (HERE / "vocabulary.json").write_text(json.dumps(known, indent=0) + "\n")
    (HERE / "lines.txt").write_text("".join(f"{line}\n" for line in held_lines[:SHIPPED]))


if __name__ == "__main__":
    main()
