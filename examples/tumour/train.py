#!/usr/bin/env python3
"""Trains the tumour example and writes its files beside itself.

A multilayer perceptron tells malignant from benign breast tumours by 30 measurements of cell nuclei.

The measurements differ in size by a factor of 10^6, while fixed point has one resolution for a whole
tensor. So the network takes them standardised, and scaling.csv has the mean and the deviation of each
for whoever brings measurements of their own.

Run it with Debian's python3, python3-torch and python3-sklearn.
"""

import csv
import pathlib

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
SEED = 1
HELD_OUT = 114
EPOCHS = 120


def data():
    """Returns standardised training and held-out rows with their labels, and the scaling as CSV rows."""
    cancer = load_breast_cancer()
    x, held_x, y, held_y = train_test_split(
        cancer.data, cancer.target, test_size=HELD_OUT, random_state=SEED, stratify=cancer.target
    )
    mean, deviation = x.mean(axis=0), x.std(axis=0)  # of the training rows alone
    scaling = [(n, f"{m:.9g}", f"{d:.9g}") for n, m, d in zip(cancer.feature_names, mean, deviation)]
    x, held_x = (((rows - mean) / deviation).astype(np.float32) for rows in (x, held_x))
    return x, y.astype(np.int64), held_x, held_y.astype(np.int64), scaling


def network():
    return nn.Sequential(
        nn.Linear(30, 32), nn.ReLU(),
        nn.Linear(32, 16), nn.ReLU(),
        nn.Linear(16, 2),
    )


def train(net, x, y):
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.05)
    loss = nn.CrossEntropyLoss(label_smoothing=0.05)
    net.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            loss(net(x[rows]), y[rows]).backward()
            optimizer.step()
    net.eval()


def infer(net, x):
    with torch.no_grad():
        return net(torch.from_numpy(x)).numpy()


def accuracy(net, x, y):
    return (infer(net, x).argmax(axis=1) == y).mean()


def main():
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # so that sums run in the same order everywhere
    x, y, held_x, held_y, scaling = data()

    net = network()
    train(net, x, y)
    print(f"accuracy: training {accuracy(net, x, y):.4f}, held out {accuracy(net, held_x, held_y):.4f}")

    whole = nn.Sequential(net, nn.Softmax(dim=1))
    torch.onnx.export(
        whole, torch.from_numpy(held_x[:1]), HERE / "model.onnx",
        opset_version=13, input_names=["measurements"], output_names=["probabilities"],
        dynamic_axes={"measurements": {0: "batch"}, "probabilities": {0: "batch"}},
    )
    np.save(HERE / "inputs.npy", held_x)
    np.save(HERE / "outputs.npy", infer(whole, held_x))
    np.save(HERE / "labels.npy", held_y)
    with open(HERE / "scaling.csv", "w", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows([("feature", "mean", "deviation"), *scaling])


if __name__ == "__main__":
    main()
