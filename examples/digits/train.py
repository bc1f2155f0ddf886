#!/usr/bin/env python3
"""Trains the digits example and writes its files beside itself.

A small convolutional network with batch normalisation, max pooling and average pooling reads
handwritten digits of 8x8 pixels. The data set has pixels 0 to 16; the network takes them as 0 to 1.

Run it with Debian's python3, python3-torch and python3-sklearn.
"""

import pathlib

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
SEED = 1
HELD_OUT = 360
EPOCHS = 60


def data():
    """Returns training and held-out images, rows x 1 x 8 x 8, with their labels."""
    digits = load_digits()
    x = (digits.images / 16).astype(np.float32)[:, None]
    y = digits.target.astype(np.int64)
    x, held_x, y, held_y = train_test_split(x, y, test_size=HELD_OUT, random_state=SEED, stratify=y)
    return x, y, np.ascontiguousarray(held_x), held_y


def network():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.AvgPool2d(2, count_include_pad=False),
        nn.Flatten(),
        nn.Linear(64, 32), nn.ReLU(),
        nn.Linear(32, 10),
    )


def train(net, x, y):
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    loss = nn.CrossEntropyLoss(label_smoothing=0.05)
    net.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            loss(net(x[rows]), y[rows]).backward()
            optimizer.step()
        schedule.step()
    net.eval()


def infer(net, x):
    with torch.no_grad():
        return net(torch.from_numpy(x)).numpy()


def accuracy(net, x, y):
    return (infer(net, x).argmax(axis=1) == y).mean()


def main():
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # so that sums run in the same order everywhere
    x, y, held_x, held_y = data()

    net = network()
    train(net, x, y)
    print(f"accuracy: training {accuracy(net, x, y):.4f}, held out {accuracy(net, held_x, held_y):.4f}")

    torch.onnx.export(
        net, torch.from_numpy(held_x[:1]), HERE / "model.onnx",
        opset_version=13, input_names=["image"], output_names=["logits"],
        dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
        training=torch.onnx.TrainingMode.PRESERVE,  # keeps batch normalisation
        do_constant_folding=False,
    )
    np.save(HERE / "inputs.npy", held_x)
    np.save(HERE / "outputs.npy", infer(net, held_x))
    np.save(HERE / "labels.npy", held_y)


if __name__ == "__main__":
    main()
