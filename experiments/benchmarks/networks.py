"""The networks of the comparison in PyTorch, with the same layers as in `cgym`'s zoo."""

import torch
from torch import nn
from torch.nn import functional

CLASSES = 10


class Block(nn.Module):
    """Two 3x3 convolutions and the parameter-free shortcut ("option A")."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.pad = stride, (outputs - inputs) // 2

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.stride != 1:
            x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad))
        return functional.relu(y + x)


class CifarResNet(nn.Module):
    """CIFAR ResNet (He et al. 2016, section 4.2), with the names of the published checkpoints that `cgym` reads."""

    def __init__(self, depth, channels=3):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        inputs = 16
        for stage, outputs in enumerate([16, 32, 64], 1):
            blocks = []
            for index in range((depth - 2) // 6):
                blocks.append(Block(inputs, outputs, 2 if stage > 1 and index == 0 else 1))
                inputs = outputs
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, CLASSES)

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))

    def inner_convolutions(self):
        """The second convolution of every block: the layers whose inputs an episode prunes."""
        return [module.conv2 for module in self.modules() if isinstance(module, Block)]


def conv_norm_relu(inputs, outputs, kernel, stride=1, groups=1, bias=False):
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=bias),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


class Features(nn.Module):
    """Convolutions, global average pooling and one linear layer."""

    def __init__(self, layers, channels):
        super().__init__()
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, CLASSES)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


def vgg16():
    """VGG-16 with batch norm and the usual head for 32x32 images."""
    layers, inputs = [], 3
    for outputs, count in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]:
        for _ in range(count):
            layers += conv_norm_relu(inputs, outputs, 3, bias=True)
            inputs = outputs
        layers.append(nn.MaxPool2d(2))
    return Features(layers, inputs)


def mobilenet_v1():
    """MobileNet-V1 with a first stride of 1, for 32x32 images."""
    layers, inputs = conv_norm_relu(3, 32, 3), 32
    pairs = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]
    for outputs, stride in [*pairs, *[(512, 1)] * 5, (1024, 2), (1024, 1)]:
        layers += conv_norm_relu(inputs, inputs, 3, stride, groups=inputs)
        layers += conv_norm_relu(inputs, outputs, 1)
        inputs = outputs
    return Features(layers, inputs)


def build(model, channels=3):
    """A network of the zoo with new weights; only residual ones read images of other than three channels."""
    torch.manual_seed(0)
    return {
        "resnet20": lambda: CifarResNet(20, channels),
        "resnet56": lambda: CifarResNet(56),
        "vgg16": vgg16,
        "mobilenet-v1": mobilenet_v1,
    }[model]()


def multiply_accumulates(network):
    """Multiply-accumulates of convolutions and linear layers for one image, as `cgym` counts them."""
    total = 0

    def count(module, _, output):
        nonlocal total
        total += module.weight[0].numel() * output[0].numel()

    layers = [module for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, 32, 32))
    for hook in hooks:
        hook.remove()
    return total
