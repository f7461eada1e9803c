"""Rows about episodes: a whole one of AMC, a step of an environment, a student of N2N, updates of agents."""

import math
import sys
import time
from pathlib import Path

import numpy
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression
from torch.nn import functional

import agents
import networks
from measure import Row, repeat

# As in the released AMC code: 10 points of each of 3000 images, evaluation in batches of 50.
RECONSTRUCTION_ROWS, EVALUATION_BATCH = 30_000, 50
REWARD_IMAGES, TRAINING_IMAGES = 5000, 20_000


def write_world(folder):
    """Writes random images in the format of CIFAR-10, and new weights; their values do not affect the time."""
    random = numpy.random.default_rng(0)
    names = [f"data_batch_{index}.bin" for index in range(1, 6)]
    for name, count in [*[(name, TRAINING_IMAGES // 5) for name in names], ("test_batch.bin", 1000)]:
        records = random.integers(0, 256, (count, 3073), dtype=numpy.uint8)
        records[:, 0] %= networks.CLASSES
        (folder / name).write_bytes(records.tobytes())
    torch.save({"state_dict": networks.build("resnet56").state_dict()}, folder / "weights.th")


def released_steps(images):
    """The steps of the released AMC code per episode: refit the layers, evaluate the masked network."""
    network = networks.build("resnet56").eval()
    random = numpy.random.default_rng(0)
    problems = []
    for layer in network.inner_convolutions():
        outputs, inputs = layer.weight.shape[:2]
        kept = inputs // 2
        # The code masks channels instead of removing them, so the network does not become faster.
        layer.weight.data[:, kept:] = 0.0
        problems.append((kept * 9, outputs))
    widest = max(width for width, _ in problems)
    rows = random.standard_normal((RECONSTRUCTION_ROWS, widest), dtype=numpy.float32)
    targets = random.standard_normal((RECONSTRUCTION_ROWS, 64), dtype=numpy.float32)
    problems = [
        (numpy.ascontiguousarray(rows[:, :width]), numpy.ascontiguousarray(targets[:, :outputs]))
        for width, outputs in problems
    ]
    batches = torch.rand(images, 3, 32, 32).split(EVALUATION_BATCH)

    def episode():
        began = time.perf_counter()
        for x, y in problems:
            LinearRegression(fit_intercept=False).fit(x, y)
        with torch.no_grad():
            for batch in batches:
                network(batch).argmax(1)
        return time.perf_counter() - began

    return episode


def episode(cgym, options):
    folder = Path(options.world.name)
    write_world(folder)
    world = ["episode", "--env", "AMC-ResNet56-CIFAR10-MACs50-v0", "--set", f"data.reward_images={REWARD_IMAGES}"]
    world += ["--data", folder, "--weights", folder / "weights.th", "--agent", "random"]
    contenders = {
        "cgym": lambda: cgym.bench(*world, threads=options.threads),
        "the released steps": released_steps(REWARD_IMAGES),
    }
    return Row("episode resnet56", contenders, {"the released steps": 8.0})


def steps(cgym, _):
    def second_per_step():
        found = cgym.bench("episode", "--env", "AMC-ResNet20-Digits-MACs50-v0", "--agent", "random", threads=1)
        return 1 / found["steps_per_second"]

    # A million steps a second.
    contenders = {"cgym": second_per_step, "a microsecond": lambda: 1e-6}
    return Row("steps of an environment", contenders, {"a microsecond": 1.0})


def distillation(facts):
    """N2N's training of a student on the digits, with the sizes that `cgym bench student` reports."""
    images = torch.from_numpy(load_digits().images).float().unsqueeze(1) / 8 - 1
    count, held_out = facts["images"], facts["validation_images"]
    learned, validation = images[:count], images[count : count + held_out]
    logits = torch.randn(count, networks.CLASSES)

    def student():
        network = networks.build(facts["model"], channels=1)
        parameters = sum(parameter.numel() for parameter in network.parameters())
        if parameters != facts["parameters"]:
            sys.exit(f"{facts['model']}: {facts['parameters']} parameters in cgym, {parameters} in PyTorch")
        rate, batch = facts["learning_rate"], facts["batch"]
        adam = torch.optim.Adam(network.parameters(), rate, weight_decay=facts["weight_decay"])
        done, whole = 0, facts["epochs"] * math.ceil(count / batch)
        for _ in range(facts["epochs"]):
            network.train()
            for chosen in torch.randperm(count).split(batch):
                adam.param_groups[0]["lr"] = 0.5 * rate * (1 + math.cos(math.pi * done / whole))
                loss = functional.mse_loss(network(learned[chosen]), logits[chosen])
                adam.zero_grad()
                loss.backward()
                adam.step()
                loss.item()
                done += 1
            network.eval()
            with torch.inference_mode():
                network(validation).argmax(1)

    return student


def n2n_student(cgym, options):
    world = ["student", "--env", "N2N-Removal-ResNet20-Digits-v0"]
    student = distillation(cgym.bench(*world, threads=options.threads, seconds=1e-3))
    contenders = {
        "cgym": lambda: cgym.bench(*world, threads=options.threads),
        "PyTorch eager": lambda: repeat(student, options.seconds),
    }
    return Row("n2n student resnet20", contenders, {"PyTorch eager": 2.0}, "training")


def against_torch(name, ours, work, options, target):
    """A row of an update in cgym and in PyTorch, with Adam as it is by default and as one fused operation."""
    contenders = {"cgym": ours}
    for rival, fused in [("PyTorch eager", None), ("PyTorch fused Adam", True)]:
        contenders[rival] = lambda update=work(fused): repeat(update, options.seconds)
    return Row(name, contenders, {"PyTorch eager": target, "PyTorch fused Adam": None}, "training")


def ddpg_update(cgym, options, target):
    bootstrap = target == "bootstrap"
    settings = [f"agent.target={target}", f"agent.credit={'shared' if bootstrap else 'residual'}"]
    world = ["agent", "--env", agents.AMC, "--agent", "ddpg", *(word for each in settings for word in ("--set", each))]
    ours = lambda: cgym.bench(*world, threads=options.threads)["update_seconds"]
    work = lambda fused: agents.Ddpg(bootstrap, fused).update
    return against_torch(f"ddpg update, {target}", ours, work, options, 1.5)


def reinforce_step(cgym, options, policy):
    world = ["agent", "--env", policy.ENVIRONMENT, "--agent", "reinforce"]
    found = cgym.bench(*world, threads=1, seconds=1e-3)
    if (found["steps"], found["episodes"]) != (policy.STEPS, agents.EPISODES):
        sys.exit(f"{policy.ENVIRONMENT}: {found['steps']} decisions and {found['episodes']} episodes per update in cgym")
    ours = lambda: cgym.bench(*world, threads=options.threads)["seconds"]
    work = lambda fused: agents.Reinforce(policy, fused).step
    return against_torch(f"reinforce step, {policy.__name__.lower()}", ours, work, options, 1.0)
