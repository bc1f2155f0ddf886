#!/usr/bin/env python3
"""Trains the fashion example and writes its files beside itself.

A small residual network (He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016)
tells ten kinds of clothes apart on photographs of 28x28 grey pixels.

Run it with Debian's python3, python3-torch and dataset-fashion-mnist.
"""

import gzip
import pathlib

import numpy as np
import torch
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
SEED = 1
TRAINING = 24_000  # of 60,000, to train in a minute or two
SHIPPED = 64  # of the 10,000 test images, to keep the file small
EPOCHS = 6


def read(kind):
    """Returns images, rows x 1 x 28 x 28 with pixels 0 to 1, and their labels."""
    with gzip.open(next(DATA.glob(f"**/{kind}-images-idx3-ubyte.gz"))) as f:
        x = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(next(DATA.glob(f"**/{kind}-labels-idx1-ubyte.gz"))) as f:
        y = np.frombuffer(f.read(), np.uint8, offset=8)
    return (x / np.float32(255)).astype(np.float32), y.astype(np.int64)


class Block(nn.Module):
    """Adds what two convolutions make of the input to the input, or to a 1x1 convolution of it."""

    def __init__(self, channels_in, channels, stride):
        super().__init__()
        self.path = nn.Sequential(
            nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels),
        )
        self.short = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.short = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x):
        return torch.relu(self.path(x) + self.short(x))


def network():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        Block(8, 8, 1), Block(8, 16, 2), Block(16, 32, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(32, 10),
    )


def train(net, x, y):
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=0.02)
    batch = 128
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=EPOCHS * -(-len(x) // batch))
    loss = nn.CrossEntropyLoss(label_smoothing=0.05)
    net.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(batch):
            images = x[rows].flip(-1) if torch.rand(()) < 0.5 else x[rows]
            optimizer.zero_grad()
            loss(net(images), y[rows]).backward()
            optimizer.step()
            schedule.step()
    net.eval()


def infer(net, x):
    with torch.no_grad():
        return np.concatenate([net(torch.from_numpy(rows)).numpy() for rows in np.array_split(x, -(-len(x) // 500))])


def accuracy(net, x, y):
    return (infer(net, x).argmax(axis=1) == y).mean()


def main():
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # so that sums run in the same order everywhere
    x, y = read("train")
    held_x, held_y = read("t10k")
    x, y = x[:TRAINING], y[:TRAINING]

    net = network()
    train(net, x, y)
    shipped_x, shipped_y = np.ascontiguousarray(held_x[:SHIPPED]), held_y[:SHIPPED]
    print(
        f"accuracy: training {accuracy(net, x, y):.4f}, held out {accuracy(net, held_x, held_y):.4f}, "
        f"the {SHIPPED} shipped rows {accuracy(net, shipped_x, shipped_y):.4f}, "
        f"{sum(p.numel() for p in net.parameters())} parameters"
    )

    torch.onnx.export(
        net, torch.from_numpy(shipped_x[:1]), HERE / "model.onnx",
        opset_version=13, input_names=["image"], output_names=["logits"],
        dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
        training=torch.onnx.TrainingMode.PRESERVE,  # keeps batch normalisation
        do_constant_folding=False,
    )
    np.save(HERE / "inputs.npy", shipped_x)
    np.save(HERE / "outputs.npy", infer(net, shipped_x))
    np.save(HERE / "labels.npy", shipped_y)


if __name__ == "__main__":
    main()
