#!/usr/bin/python3
"""Writes backend.zip: operator cases of the ONNX project's own backend tests.

Needs Debian's python3-onnx (1.12) and python3-numpy. Every case becomes three
entries: NAME.onnx, and NAME.x and NAME.y, the input and the expected output as
TensorProto. All operands but the first one that varies become initializers, as
a model file has them. Cases of more than LIMIT bytes are left out.
"""
import importlib
import warnings
import zipfile

import numpy as np

warnings.simplefilter("ignore")
np.float, np.int, np.bool = float, int, bool  # names that onnx 1.12 still uses

from onnx import numpy_helper  # noqa: E402
from onnx.backend.test.case import node  # noqa: E402

MODULES = """add sub mul div neg gemm matmul conv batchnorm relu clip maxpool globalmaxpool
averagepool globalaveragepool reducemean reducesum flatten reshape squeeze unsqueeze transpose
identity dropout softmax logsoftmax sigmoid argmax leakyrelu prelu abs hardsigmoid max min
reducemax reducemin slice split gather pad expand tile depthtospace spacetodepth resize upsample
convtranspose concat""".split()
LIMIT = 40000


def main():
    for name in MODULES:
        importlib.import_module("onnx.backend.test.case.node." + name)
    with zipfile.ZipFile("backend.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
        cases = {c.name: c for c in node._NodeTestCases if not c.name.endswith("_expanded")}
        for _, case in sorted(cases.items()):
            inputs, outputs = case.data_sets[0]
            model = case.model
            if any(not isinstance(v, np.ndarray) for v in list(inputs) + list(outputs)) or len(inputs) != len(model.graph.input):
                continue
            if inputs[0].dtype not in (np.float32, np.float64):
                continue
            for info, value in list(zip(model.graph.input, inputs))[1:]:
                model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), info.name))
            files = {
                "onnx": model.SerializeToString(),
                "x": numpy_helper.from_array(inputs[0]).SerializeToString(),
                "y": numpy_helper.from_array(outputs[0]).SerializeToString(),
            }
            if sum(map(len, files.values())) > LIMIT:
                continue
            for suffix, data in files.items():
                z.writestr(zipfile.ZipInfo(case.name + "." + suffix, (2020, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main()
