"""Rows about the speed of networks: evaluation, pruned networks, threads, depth, training steps."""

import io
import sys

import onnxruntime
import torch
from torch.nn import functional

import networks
from measure import BATCH, Row, repeat

DEPTHS = ("resnet20", "resnet56", "resnet110")


def torch_evaluation(model, seconds):
    """Contenders in PyTorch: eager, channels last, and frozen with optimisation for inference."""
    network = networks.build(model).eval()
    images = torch.rand(BATCH, 3, 32, 32) * 2 - 1
    last = networks.build(model).eval().to(memory_format=torch.channels_last)
    images_last = images.to(memory_format=torch.channels_last)
    with torch.no_grad():
        frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(network, images)))

    def timed(network, images):
        def work():
            with torch.inference_mode():
                network(images)

        return lambda: repeat(work, seconds)

    return {
        "PyTorch eager": timed(network, images),
        "PyTorch channels last": timed(last, images_last),
        "PyTorch frozen": timed(frozen, images),
    }


def onnx_evaluation(model, seconds, threads):
    """ONNX Runtime with all of its graph optimisations."""
    network, images = networks.build(model).eval(), torch.rand(BATCH, 3, 32, 32) * 2 - 1
    file = io.BytesIO()
    torch.onnx.export(network, (images,), file, dynamo=False, input_names=["images"], output_names=["logits"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
    feed = {"images": images.numpy()}
    return lambda: repeat(lambda: session.run(None, feed), seconds)


def inference(cgym, options, model, targets):
    network = networks.build(model)
    macs = cgym.network(model, threads=1, seconds=1e-3)["macs"]
    if macs != networks.multiply_accumulates(network):
        sys.exit(f"{model}: {macs} MACs in cgym, {networks.multiply_accumulates(network)} in PyTorch")
    contenders = {"cgym": lambda: cgym.network(model, threads=options.threads)}
    contenders |= torch_evaluation(model, options.seconds)
    contenders["ONNX Runtime"] = onnx_evaluation(model, options.seconds, options.threads)
    rest = {rival: None for rival in [*contenders][1:] if rival not in targets}
    return Row(f"inference {model}", contenders, targets | rest, "inference")


def sliced(cgym, options, model):
    preserve_ratio = cgym.ratio_of_half(model)
    pruned = lambda: cgym.network(model, "--prune", preserve_ratio, threads=options.threads)
    whole = lambda: cgym.network(model, threads=options.threads)
    # At most 0.58 of the time.
    return Row(f"sliced {model}, half the MACs", {"cgym": pruned, "the whole": whole}, {"the whole": 1 / 0.58})


def threads(cgym, _, model):
    contenders = {f"{count} threads": count for count in (2, 1)}
    measured = {
        name: lambda count=count: cgym.network(model, threads=count) for name, count in contenders.items()
    }
    return Row(f"threads {model}, two over one", measured, {"1 threads": 1.85})


def depth(cgym, options):
    """Seconds per billion MACs of networks of different depth: the slowest against the fastest."""
    found = {}

    def slowest():
        for model in DEPTHS:
            measured = cgym.network(model, threads=options.threads)
            found[model] = 1e9 / measured["macs_per_second"]
        return max(found.values())

    contenders = {"the slowest": slowest, "the fastest": lambda: min(found.values())}
    contenders |= {model: lambda model=model: found[model] for model in DEPTHS}
    # Flat within 10 %.
    targets = {"the fastest": 1 / 1.1} | {model: None for model in DEPTHS}
    return Row("depth, a billion MACs", contenders, targets)


def training(cgym, options, model):
    def steps(memory_format):
        network = networks.build(model).train().to(memory_format=memory_format)
        optimizer = torch.optim.SGD(network.parameters(), 1e-3, momentum=0.9, weight_decay=5e-4)
        images, labels = torch.rand(BATCH, 3, 32, 32) * 2 - 1, torch.randint(networks.CLASSES, (BATCH,))
        images = images.to(memory_format=memory_format)

        def step():
            optimizer.zero_grad()
            functional.cross_entropy(network(images), labels).backward()
            optimizer.step()

        return lambda: repeat(step, options.seconds)

    contenders = {
        "cgym": lambda: cgym.network(model, "--training", threads=options.threads),
        "PyTorch eager": steps(torch.contiguous_format),
        "PyTorch channels last": steps(torch.channels_last),
    }
    targets = {"PyTorch eager": 1.8, "PyTorch channels last": 1.3}
    return Row(f"training {model}, a step", contenders, targets, "training")
