#!/usr/bin/env python3
"""Trains the sonar example and writes its files beside itself.

A convolutional network over one axis tells a metal cylinder from a rock by the sonar chirp that
comes back: its energy in 60 bands, whose frequency rises with time.

There are 208 echoes in all, so one split says little: the script also prints the accuracy of ten
networks, each tested on a tenth of the data that it was not trained on.

Run it with Debian's python3, python3-torch, python3-sklearn and r-cran-mlbench.
"""

import csv
import io
import pathlib
import subprocess

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold, train_test_split
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
SEED = 1
HELD_OUT = 52
EPOCHS = 150
READ = 'data(Sonar, package = "mlbench"); write.csv(Sonar, row.names = FALSE)'


def data():
    """Returns echoes, rows x 1 x 60, and whether each is a rock."""
    text = subprocess.run(["Rscript", "-e", READ], check=True, capture_output=True, text=True).stdout
    rows = list(csv.reader(io.StringIO(text)))[1:]
    x = np.array([r[:60] for r in rows], dtype=np.float32)[:, None]
    y = np.array([r[60] == "R" for r in rows], dtype=np.int64)
    return x, y


def network():
    return nn.Sequential(
        nn.BatchNorm1d(1),
        nn.Conv1d(1, 16, 5, padding=2, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(16, 16, 5, padding=2, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.MaxPool1d(2),
        nn.Flatten(), nn.Dropout(0.4),
        nn.Linear(240, 16), nn.ReLU(),
        nn.Linear(16, 2),
    )


def train(x, y):
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    net = network()
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)
    net.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(32):
            noise = 1 + 0.1 * torch.randn(len(rows), 1, 60)
            optimizer.zero_grad()
            loss(net(x[rows] * noise), y[rows]).backward()
            optimizer.step()
        schedule.step()
    return net.eval()


def infer(net, x):
    with torch.no_grad():
        return net(torch.from_numpy(x)).numpy()


def accuracy(net, x, y):
    return (infer(net, x).argmax(axis=1) == y).mean()


def main():
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # so that sums run in the same order everywhere
    x, y = data()

    folds = StratifiedKFold(10, shuffle=True, random_state=SEED).split(x, y)
    scores = [accuracy(train(x[a], y[a]), x[b], y[b]) for a, b in folds]
    print(f"accuracy of ten: {np.mean(scores):.4f} +- {np.std(scores):.4f}")

    x, held_x, y, held_y = train_test_split(x, y, test_size=HELD_OUT, random_state=SEED, stratify=y)
    net = train(x, y)
    print(f"accuracy: training {accuracy(net, x, y):.4f}, held out {accuracy(net, held_x, held_y):.4f}, "
          f"{sum(p.numel() for p in net.parameters())} parameters")

    torch.onnx.export(
        net, torch.from_numpy(held_x[:1]), HERE / "model.onnx",
        opset_version=13, input_names=["echo"], output_names=["logits"],
        dynamic_axes={"echo": {0: "batch"}, "logits": {0: "batch"}},
        training=torch.onnx.TrainingMode.EVAL, do_constant_folding=False,
    )
    np.save(HERE / "inputs.npy", held_x)
    np.save(HERE / "outputs.npy", infer(net, held_x))
    np.save(HERE / "labels.npy", held_y)


if __name__ == "__main__":
    main()
