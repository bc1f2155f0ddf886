#!/usr/bin/python3
"""Writes pytorch.zip: small networks as PyTorch exports them.

Needs Debian's python3-torch (1.13). Every case becomes NAME.onnx, and NAME.x
and NAME.y, four input rows and PyTorch's outputs as little-endian float32.
Opsets 9 and 16, with and without constant folding, dynamic batch.
"""
import io
import warnings
import zipfile

import torch
from torch import nn

warnings.simplefilter("ignore")


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.a, self.b = (nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(2))
        self.na, self.nb = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)

    def forward(self, x):
        return torch.relu(x + self.nb(self.b(torch.relu(self.na(self.a(x))))))


class Apply(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f(x)


def reshape(x):
    b, c, h, w = x.shape
    return x.reshape(b, c, h * w).mean(2).reshape(b, c // 2, 2).flatten(1)


NETS = {
    "resnet": ((3, 16, 16), lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1), Residual(8), Residual(8),
        nn.AdaptiveAvgPool2d(1), Apply(lambda x: x.view(x.size(0), -1)), nn.Linear(8, 5), nn.LogSoftmax(1))),
    "mean": ((1, 12, 12), lambda: nn.Sequential(
        nn.Conv2d(1, 4, 5), nn.ReLU(), nn.AvgPool2d(3, 2, padding=1, count_include_pad=False),
        Apply(lambda x: x.mean([2, 3])), nn.Linear(4, 2), nn.Sigmoid())),
    "ceil": ((2, 7, 7), lambda: nn.Sequential(
        nn.MaxPool2d(3, 2, ceil_mode=True), nn.Conv2d(2, 4, 3, groups=2, dilation=2, padding=2), nn.BatchNorm2d(4),
        nn.AvgPool2d(2, 2, ceil_mode=True), nn.Flatten(), nn.Linear(16, 3))),
    "sequence": ((4, 5), lambda: nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3), Apply(lambda x: x.permute(0, 2, 1)))),
    "transposed": ((3, 4), lambda: nn.Sequential(Apply(lambda x: x.transpose(1, 2).contiguous().view(-1, 12)), nn.Linear(12, 2))),
    "shapes": ((4, 3, 3), lambda: nn.Sequential(Apply(reshape), nn.Linear(4, 2))),
    "conv1d": ((2, 32), lambda: nn.Sequential(
        nn.Conv1d(2, 4, 5, stride=2, padding=2), nn.BatchNorm1d(4), nn.ReLU(), nn.MaxPool1d(2), nn.Dropout(), nn.Conv1d(4, 4, 3),
        nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 3), nn.Softmax(dim=-1))),
    "mlp": ((6,), lambda: nn.Sequential(
        nn.BatchNorm1d(6), nn.Linear(6, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Linear(8, 8, bias=False), nn.ReLU(), nn.Linear(8, 1))),
}


def main():
    torch.manual_seed(1)
    with zipfile.ZipFile("pytorch.zip", "w") as z:
        def write(name, data):
            z.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)

        for name, (shape, make) in NETS.items():
            net = make()
            for m in net.modules():
                if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)):
                    m.running_mean.normal_(0, 0.3)
                    m.running_var.uniform_(0.5, 2)
                    m.weight.data.normal_(1, 0.3)
                    m.bias.data.normal_(0, 0.3)
            net.eval()
            x = torch.randn(4, *shape)
            for opset in (9, 16):
                for fold in (False, True):
                    f = io.BytesIO()
                    mode = torch.onnx.TrainingMode.EVAL if fold else torch.onnx.TrainingMode.PRESERVE
                    torch.onnx.export(net, x, f, opset_version=opset, do_constant_folding=fold, training=mode, input_names=["x"],
                                      output_names=["y"], dynamic_axes={"x": {0: "N"}, "y": {0: "N"}})
                    case = f"{name}-{opset}" + ("-folded" if fold else "")
                    write(case + ".onnx", f.getvalue())
                    write(case + ".x", x.numpy().astype("<f4").tobytes())
                    write(case + ".y", net(x).detach().numpy().astype("<f4").tobytes())


if __name__ == "__main__":
    main()
