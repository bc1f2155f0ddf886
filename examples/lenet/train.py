#!/usr/bin/env python3
"""Trains the LeNet-5 example and writes its files beside itself.

The network of LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document
Recognition", Proceedings of the IEEE, 1998, with ReLU and max pooling, on 28x28 pixels. It is here
to measure with. The images are the 8x8 digits of scikit-learn, enlarged.

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
SHIPPED = 64  # of the held-out rows, to keep the file small
EPOCHS = 12


def data():
    """Returns training and held-out images, rows x 1 x 28 x 28, with their labels."""
    digits = load_digits()
    small = torch.from_numpy((digits.images / 16).astype(np.float32)[:, None])
    x = nn.functional.interpolate(small, size=(28, 28), mode="bilinear", align_corners=False)
    x = x.clamp(0, 1).numpy()  # interpolation rounds
    y = digits.target.astype(np.int64)
    x, held_x, y, held_y = train_test_split(x, y, test_size=HELD_OUT, random_state=SEED, stratify=y)
    return x, y, np.ascontiguousarray(held_x), held_y


def network():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(),
        nn.Linear(120, 84), nn.ReLU(),
        nn.Linear(84, 10),
    )


def train(net, x, y):
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    loss = nn.CrossEntropyLoss(label_smoothing=0.05)
    net.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(32):
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
    shipped_x, shipped_y = held_x[:SHIPPED], held_y[:SHIPPED]
    print(
        f"accuracy: training {accuracy(net, x, y):.4f}, held out {accuracy(net, held_x, held_y):.4f}, "
        f"the {SHIPPED} shipped rows {accuracy(net, shipped_x, shipped_y):.4f}"
    )

    torch.onnx.export(
        net, torch.from_numpy(held_x[:1]), HERE / "model.onnx",
        opset_version=13, input_names=["image"], output_names=["logits"],
        dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
    )
    np.save(HERE / "inputs.npy", shipped_x)
    np.save(HERE / "outputs.npy", infer(net, shipped_x))
    np.save(HERE / "labels.npy", shipped_y)


if __name__ == "__main__":
    main()
