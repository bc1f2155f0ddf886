#!/usr/bin/env python3
"""Trains the credit example and writes its files beside itself.

Gradient-boosted trees tell loans that were paid back from those that were not, by 18 facts about the
applicant and the loan. The trees are written as skl2onnx writes scikit-learn's GradientBoostingClassifier:
one TreeEnsembleClassifier of ai.onnx.ml, one weight per leaf, a logistic function at the end.

Numbers go in as they are: trees only compare. An attribute with words for values goes in as the
position of the word, as columns.csv lists them.

Run it with Debian's python3, python3-sklearn, python3-onnx and r-cran-caret.
"""

import csv
import io
import pathlib
import subprocess

import numpy as np
import onnx
from onnx import TensorProto, helper
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.model_selection import train_test_split

HERE = pathlib.Path(__file__).resolve().parent
SEED = 1
HELD_OUT = 200
TREES, DEPTH, RATE = 60, 3, 0.1

NUMBERS = [
    "Duration", "Amount", "InstallmentRatePercentage", "ResidenceDuration", "Age",
    "NumberExistingCredits", "NumberPeopleMaintenance", "Telephone",
]
# Sex, marital status and nationality are in the data too. A lender may not decide by them.
WORDS = [
    "CheckingAccountStatus", "CreditHistory", "Purpose", "SavingsAccountBonds", "EmploymentDuration",
    "OtherDebtorsGuarantors", "Property", "OtherInstallmentPlans", "Housing", "Job",
]
READ = 'data(GermanCredit, package = "caret"); write.csv(GermanCredit, row.names = FALSE)'


def data():
    """Returns training and held-out rows, their labels, and a line for each column."""
    text = subprocess.run(["Rscript", "-e", READ], check=True, capture_output=True, text=True).stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    x, columns = [], []
    for name in NUMBERS:
        x.append([float(r[name]) for r in rows])
        columns.append((name, "number"))
    for name in WORDS:  # one column of 0 and 1 for each word: back to one column of positions
        words = [c for c in rows[0] if c.startswith(name + ".")]
        x.append([next(i for i, w in enumerate(words) if r[w] == "1") for r in rows])
        columns.append((name, " ".join(f"{i}={w[len(name) + 1:]}" for i, w in enumerate(words))))
    x = np.array(x, dtype=np.float32).T
    y = np.array([r["Class"] == "Good" for r in rows], dtype=np.int64)
    return *train_test_split(x, y, test_size=HELD_OUT, random_state=SEED, stratify=y), columns


def export(forest, features):
    """Returns the ONNX model of a boosted classifier with two classes."""
    nodes = {k: [] for k in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")}
    leaves = {k: [] for k in ("treeids", "nodeids", "ids", "weights")}
    for t, (regressor,) in enumerate(forest.estimators_):
        tree = regressor.tree_
        for i in range(tree.node_count):
            leaf = tree.children_left[i] < 0
            nodes["treeids"].append(t)
            nodes["nodeids"].append(i)
            nodes["featureids"].append(0 if leaf else int(tree.feature[i]))
            nodes["values"].append(0.0 if leaf else float(tree.threshold[i]))
            nodes["modes"].append("LEAF" if leaf else "BRANCH_LEQ")
            nodes["truenodeids"].append(0 if leaf else int(tree.children_left[i]))
            nodes["falsenodeids"].append(0 if leaf else int(tree.children_right[i]))
            if leaf:
                leaves["treeids"].append(t)
                leaves["nodeids"].append(i)
                leaves["ids"].append(0)
                leaves["weights"].append(float(forest.learning_rate * tree.value[i, 0, 0]))
    start = forest._raw_predict_init(np.zeros((1, features))).ravel()
    node = helper.make_node(
        "TreeEnsembleClassifier", ["applicant"], ["label", "probabilities"], domain="ai.onnx.ml",
        base_values=[float(v) for v in start], post_transform="LOGISTIC", classlabels_int64s=[0, 1],
        nodes_hitrates=[1.0] * len(nodes["nodeids"]),
        nodes_missing_value_tracks_true=[0] * len(nodes["nodeids"]),
        **{f"nodes_{k}": v for k, v in nodes.items()}, **{f"class_{k}": v for k, v in leaves.items()},
    )
    graph = helper.make_graph(
        [node], "credit",
        [helper.make_tensor_value_info("applicant", TensorProto.FLOAT, ["batch", features])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 2]),
        ],
    )
    model = helper.make_model(
        graph, ir_version=8, opset_imports=[helper.make_opsetid("ai.onnx.ml", 3), helper.make_opsetid("", 13)]
    )
    onnx.checker.check_model(model)
    return model


def main():
    x, held_x, y, held_y, columns = data()
    forest = GradientBoostingClassifier(
        n_estimators=TREES, max_depth=DEPTH, learning_rate=RATE, subsample=0.7, max_features=0.5,
        min_samples_leaf=8, random_state=SEED,
    )
    forest.fit(x, y)
    print(
        f"accuracy: training {forest.score(x, y):.4f}, held out {forest.score(held_x, held_y):.4f}, "
        f"always 'paid' {held_y.mean():.4f}"
    )

    onnx.save(export(forest, x.shape[1]), HERE / "model.onnx")
    np.save(HERE / "inputs.npy", held_x)
    np.save(HERE / "outputs.npy", forest.predict_proba(held_x).astype(np.float32))
    np.save(HERE / "labels.npy", held_y)
    with open(HERE / "columns.csv", "w", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows([("column", "values"), *columns])


if __name__ == "__main__":
    main()
