#!/usr/bin/python3
"""Writes backend.zip: operator cases of the ONNX project's own backend tests.

Needs Debian's python3-onnx (1.12) and python3-numpy. Every case becomes NAME.onnx,
NAME.x0, NAME.x1, …, its inputs, and NAME.y0, NAME.y1, …, the expected outputs, as
TensorProto. Left out are cases of more than LIMIT bytes, those with strings, NaN,
sequences or optionals, and those whose operators are in NEVER: what a network for
inference does not have. With an argument, writes all cases there.
"""
import importlib
import pkgutil
import sys
import warnings
import zipfile

import numpy as np

warnings.simplefilter("ignore")
np.float, np.int, np.bool, np.object = float, int, bool, object  # names that onnx 1.12 still uses

import onnx.backend.test.case.node as cases  # noqa: E402
from onnx import numpy_helper  # noqa: E402

LIMIT = 30000
NEVER = """Adagrad Adam Momentum Bernoulli RandomUniformLike BitShift DFT STFT MelWeightMatrix
BlackmanWindow HammingWindow HannWindow Det Scan Loop If NonMaxSuppression
NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss QLinearConv QLinearMatMul ConvInteger MatMulInteger
QuantizeLinear DequantizeLinear DynamicQuantizeLinear RoiAlign MaxUnpool GridSample Unique TfIdfVectorizer
SequenceMap Optional Mod Floor Ceil Round NonZero EyeLike Size IsNaN IsInf""".split()


def numeric(v):
    if not isinstance(v, np.ndarray) and not np.isscalar(v):
        return False
    v = np.asarray(v)
    return v.dtype.kind in "iub" or v.dtype.kind == "f" and not np.isnan(v).any()


def main():
    everything = len(sys.argv) > 1
    for m in pkgutil.iter_modules(cases.__path__):
        importlib.import_module(cases.__name__ + "." + m.name)
    with zipfile.ZipFile(sys.argv[1] if everything else "backend.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
        for _, case in sorted({c.name: c for c in cases._NodeTestCases}.items()):
            inputs, outputs = case.data_sets[0]
            if isinstance(inputs, dict) or "BFLOAT16" in case.name:  # NumPy has no such type
                continue
            model = case.model
            if not all(map(numeric, list(inputs) + list(outputs))) or len(inputs) != len(model.graph.input):
                continue
            if not all(i.type.HasField("tensor_type") for i in model.graph.input):
                continue
            if not everything and ("_expanded" in case.name or any(n.op_type in NEVER for n in model.graph.node)):
                continue
            files = {"onnx": model.SerializeToString()}
            for kind, values, infos in ("x", inputs, model.graph.input), ("y", outputs, model.graph.output):
                for i, (v, info) in enumerate(zip(values, infos)):
                    files["%s%d" % (kind, i)] = numpy_helper.from_array(np.asarray(v), info.name).SerializeToString()
            if not everything and sum(map(len, files.values())) > LIMIT:
                continue
            for suffix, data in files.items():
                z.writestr(zipfile.ZipInfo(case.name + "." + suffix, (2020, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main()
